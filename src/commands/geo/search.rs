//! Places within a circle, a rectangle or a polygon: GEOSEARCH, GEORADIUS, GEORADIUSBYMEMBER, and what stores what they find.

use super::super::sorted_set::{limits, reply_member, store_result};
use super::{parse_length, parse_point, parse_unit, reply_distance, reply_point};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::structures::geo::{Area, Point, Polygon, Shape};
use crate::structures::listpack::Item;
use crate::structures::sorted_set::{Direction, Gathering, ScoreRange, SortedSet};

/// Which of the commands it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Search,
    SearchStore,
    Radius,
    RadiusReadOnly,
    RadiusByMember,
    RadiusByMemberReadOnly,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }

    fn may_store(self) -> bool {
        matches!(self, Self::Radius | Self::RadiusByMember)
    }
}

/// In which order places are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// As they are found.
    None,
    /// The nearest first.
    Nearest,
    /// The farthest first.
    Farthest,
}

/// What is asked for.
struct Request<'r> {
    form: Form,
    /// Whether the sorted set is there; if not, members of it need no place.
    has_set: bool,
    center: Option<Point>,
    from_member: bool,
    from_place: bool,
    shape: Option<Shape>,
    polygon: Option<Polygon>,
    unit: f64,
    order: Order,
    /// Places at most.
    count: Option<usize>,
    /// Whether those found first will do.
    any: bool,
    with_distance: bool,
    with_hash: bool,
    with_place: bool,
    store: Option<Key<'r>>,
    stores_distances: bool,
}

impl<'r> Request<'r> {
    fn parse(call: &mut Call<'r, '_>, form: Form, source: Key<'r>) -> Result<Self, CommandError> {
        call.note_miss(source);
        let has_set = call.db.read_as::<SortedSet>(source)?.is_some();
        let mut request = Self {
            form,
            has_set,
            center: None,
            from_member: false,
            from_place: false,
            shape: None,
            polygon: None,
            unit: 1.0,
            order: Order::None,
            count: None,
            any: false,
            with_distance: false,
            with_hash: false,
            with_place: false,
            store: None,
            stores_distances: false,
        };
        let mut at = request.parse_fixed(call, source)?;
        while at < call.args.len() {
            at += request.parse_common(call, at)?;
            if let Some(taken) = request.parse_place(call, at, source)? {
                at += taken;
            }
        }
        request.check(call)?;
        Ok(request)
    }

    /// Reads what stands at fixed places; gives the first option's.
    fn parse_fixed(
        &mut self,
        call: &mut Call<'r, '_>,
        source: Key<'r>,
    ) -> Result<usize, CommandError> {
        let args = call.args;
        match self.form {
            Form::Search => Ok(2),
            Form::SearchStore => {
                self.store = Some(call.key(0));
                Ok(3)
            }
            Form::Radius | Form::RadiusReadOnly => {
                self.center = Some(parse_point(args.at(2), args.at(3))?);
                self.parse_circle(args.at(4), args.at(5))?;
                Ok(6)
            }
            Form::RadiusByMember | Form::RadiusByMemberReadOnly => {
                if self.has_set {
                    self.center = Some(place_of(call, source, args.at(2))?);
                    self.parse_circle(args.at(3), args.at(4))?;
                }
                Ok(5)
            }
        }
    }

    fn parse_circle(&mut self, radius: &[u8], unit: &[u8]) -> CommandResult {
        let radius = parse_length(radius, "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err(CommandError::text("ERR radius cannot be negative"));
        }
        self.unit = parse_unit(unit)?;
        self.shape = Some(Shape::Circle { radius });
        Ok(())
    }

    fn parse_box(&mut self, width: &[u8], height: &[u8], unit: &[u8]) -> CommandResult {
        let width = parse_length(width, "ERR need numeric width")?;
        let height = parse_length(height, "ERR need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err(CommandError::text("ERR height or width cannot be negative"));
        }
        self.unit = parse_unit(unit)?;
        self.shape = Some(Shape::Box { width, height });
        Ok(())
    }

    /// Reads how many corners there are, and the corners; gives how many arguments they took.
    fn parse_polygon(&mut self, call: &Call<'r, '_>, at: usize) -> Result<usize, CommandError> {
        let count = call.integer(at)?;
        if count < 3 {
            return Err(CommandError::text(
                "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
            ));
        }
        let left = call.args.len() - at - 1;
        let count = usize::try_from(count).ok();
        let count = count.filter(|&count| count <= left / 2);
        let count = count.ok_or(CommandError::Syntax)?;
        let corners = (0..count).map(|corner| {
            let at = at + 1 + 2 * corner;
            parse_point(call.args.at(at), call.args.at(at + 1))
        });
        self.polygon = Some(Polygon::new(corners.collect::<Result<_, _>>()?));
        Ok(1 + 2 * count)
    }

    /// Reads options that all forms have; gives how many arguments they took.
    fn parse_common(&mut self, call: &Call<'r, '_>, first: usize) -> Result<usize, CommandError> {
        let (args, mut at) = (call.args, first);
        loop {
            match () {
                () if args.is(at, "WITHDIST") => self.with_distance = true,
                () if args.is(at, "WITHHASH") => self.with_hash = true,
                () if args.is(at, "WITHCOORD") => self.with_place = true,
                () if args.is(at, "ANY") => self.any = true,
                () if args.is(at, "ASC") => self.order = Order::Nearest,
                () if args.is(at, "DESC") => self.order = Order::Farthest,
                () if args.is(at, "COUNT") && at + 1 < args.len() => {
                    let count = usize::try_from(call.integer(at + 1)?).ok();
                    let count = count.filter(|&count| count > 0);
                    self.count =
                        Some(count.ok_or_else(|| CommandError::text("ERR COUNT must be > 0"))?);
                    at += 1;
                }
                () => return Ok(at - first),
            }
            at += 1;
        }
    }

    /// Reads an option that only some forms have, if there is one more argument; gives how many it took.
    fn parse_place(
        &mut self,
        call: &mut Call<'r, '_>,
        at: usize,
        source: Key<'r>,
    ) -> Result<Option<usize>, CommandError> {
        let (args, behind) = (call.args, call.args.len().saturating_sub(at + 1));
        if at == args.len() {
            return Ok(None);
        }
        let is_search = self.form.is_search();
        let is_box = matches!(self.shape, Some(Shape::Box { .. })) || self.polygon.is_some();
        let is_circle = matches!(self.shape, Some(Shape::Circle { .. })) || self.polygon.is_some();
        let taken = match () {
            () if self.form.may_store() && behind >= 1 && args.is(at, "STORE") => {
                self.store_at(call, at + 1, false)?;
                2
            }
            () if self.form.may_store() && behind >= 1 && args.is(at, "STOREDIST") => {
                self.store_at(call, at + 1, true)?;
                2
            }
            () if self.form == Form::SearchStore && args.is(at, "STOREDIST") => {
                self.stores_distances = true;
                1
            }
            () if is_search && behind >= 1 && args.is(at, "FROMMEMBER") && !self.from_place => {
                if self.has_set {
                    self.center = Some(place_of(call, source, args.at(at + 1))?);
                }
                self.from_member = true;
                2
            }
            () if is_search && behind >= 2 && args.is(at, "FROMLONLAT") && !self.from_member => {
                self.center = Some(parse_point(args.at(at + 1), args.at(at + 2))?);
                self.from_place = true;
                3
            }
            () if is_search && behind >= 2 && args.is(at, "BYRADIUS") && !is_box => {
                self.parse_circle(args.at(at + 1), args.at(at + 2))?;
                3
            }
            () if is_search && behind >= 3 && args.is(at, "BYBOX") && !is_circle => {
                self.parse_box(args.at(at + 1), args.at(at + 2), args.at(at + 3))?;
                4
            }
            () if is_search && behind >= 1 && args.is(at, "BYPOLYGON") && self.shape.is_none() => {
                1 + self.parse_polygon(call, at + 1)?
            }
            () => return Err(CommandError::Syntax),
        };
        Ok(Some(taken))
    }

    fn store_at(&mut self, call: &Call<'r, '_>, at: usize, distances: bool) -> CommandResult {
        let is_here = |key: &&crate::engine::KeyRef| key.arg as usize == at;
        // Only the first of several is known as a key, and locked.
        let place = call.keys.iter().position(|key| is_here(&key));
        self.store = Some(call.key(place.ok_or(CommandError::Syntax)?));
        self.stores_distances = distances;
        Ok(())
    }

    fn check(&self, call: &Call<'r, '_>) -> CommandResult {
        let command = call.args.at(0);
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_place) {
            return Err(CommandError::text(match self.form {
                Form::SearchStore => {
                    "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                }
                _ => {
                    "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                }
            }));
        }
        let has_place = self.from_member || self.from_place || self.polygon.is_some();
        if self.form.is_search() && !has_place {
            let text = "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ";
            return Err(CommandError::quoting(text, command, ""));
        }
        if self.form.is_search() && self.shape.is_none() && self.polygon.is_none() {
            let text = "ERR exactly one of BYRADIUS and BYBOX can be specified for ";
            return Err(CommandError::quoting(text, command, ""));
        }
        if self.any && self.count.is_none() {
            return Err(CommandError::text(
                "ERR the ANY argument requires COUNT argument",
            ));
        }
        Ok(())
    }

    /// All that was found, as many as are wanted, in their order.
    fn find<'a>(&self, set: &'a SortedSet) -> Vec<Found<'a>> {
        let most = self.count.filter(|_| self.any).unwrap_or(usize::MAX);
        let mut found = match (&self.polygon, self.center, self.shape) {
            (Some(polygon), center, _) => {
                let center = center.unwrap_or_else(|| polygon.center());
                search(set, &polygon.frame(), most, |point| {
                    let is_within = polygon.contains(point);
                    is_within.then(|| center.distance(point))
                })
            }
            (None, Some(center), Some(shape)) => {
                let area = Area::new(center, shape, self.unit);
                search(set, &area, most, |point| area.distance_within(point))
            }
            _ => return Vec::new(),
        };
        let order = match self.order {
            // The nearest are meant when only some are wanted.
            Order::None if self.count.is_some() && !self.any => Order::Nearest,
            order => order,
        };
        sort(&mut found, order, self.count.unwrap_or(usize::MAX));
        found.truncate(self.count.unwrap_or(usize::MAX));
        found
    }

    fn reply(&self, reply: &mut Reply, found: &[Found<'_>]) {
        let options = [self.with_distance, self.with_hash, self.with_place];
        let options = options.into_iter().filter(|&with| with).count();
        reply.array(found.len());
        for place in found {
            if options > 0 {
                reply.array(1 + options);
            }
            reply_member(reply, place.member);
            if self.with_distance {
                reply_distance(reply, place.distance / self.unit);
            }
            if self.with_hash {
                reply.integer(place.score as i64);
            }
            if self.with_place {
                reply_point(reply, place.point);
            }
        }
    }
}

/// The place of a member of a sorted set that is there.
fn place_of(call: &mut Call, source: Key<'_>, member: &[u8]) -> Result<Point, CommandError> {
    let set = call.db.peek_as::<SortedSet>(source)?;
    let score = set.and_then(|set| set.score(member));
    score
        .map(Point::of_score)
        .ok_or_else(|| CommandError::text("ERR could not decode requested zset member"))
}

/// A place that was found.
struct Found<'a> {
    member: Item<'a>,
    score: f64,
    point: Point,
    distance: f64,
}

/// Places within an area, at most so many.
fn search<'a>(
    set: &'a SortedSet,
    area: &Area,
    most: usize,
    distance_within: impl Fn(Point) -> Option<f64>,
) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for cell in area.cells() {
        let (min, max) = cell.scores();
        let range = ScoreRange {
            min,
            max,
            without_min: false,
            without_max: true,
        };
        let mut entries = set.entries(set.ranks_by_score(&range), Direction::Up);
        let mut within = |score| {
            let point = Point::of_score(score);
            Some((score, point, distance_within(point)?))
        };
        while found.len() < most {
            let Some((member, (score, point, distance))) = entries.next_wanted(&mut within) else {
                break;
            };
            found.push(Found {
                member,
                score,
                point,
                distance,
            });
        }
    }
    found
}

/// Sorts as many of the first as are wanted.
fn sort(found: &mut [Found<'_>], order: Order, wanted: usize) {
    let nearer = |a: &Found<'_>, b: &Found<'_>| a.distance.total_cmp(&b.distance);
    let compare = |a: &Found<'_>, b: &Found<'_>| match order {
        Order::Farthest => nearer(b, a),
        _ => nearer(a, b),
    };
    if order == Order::None {
        return;
    }
    if wanted < found.len() {
        let (first, ..) = found.select_nth_unstable_by(wanted, compare);
        return first.sort_by(compare);
    }
    found.sort_by(compare);
}

fn run(call: &mut Call, form: Form) -> CommandResult {
    let source = call.key(usize::from(form == Form::SearchStore));
    let request = Request::parse(call, form, source)?;
    let Some(destination) = request.store else {
        match call.db.peek_as::<SortedSet>(source)? {
            Some(set) => request.reply(call.reply, &request.find(set)),
            None => call.reply.array(0),
        }
        return Ok(());
    };
    let mut gathered = Gathering::default();
    if let Some(set) = call.db.peek_as::<SortedSet>(source)? {
        let mut buffer = itoa::Buffer::new();
        for place in request.find(set) {
            let score = match request.stores_distances {
                true => place.distance / request.unit,
                false => place.score,
            };
            gathered.add(place.member.as_bytes(&mut buffer), score, |_, score| score);
        }
    }
    let name = match form {
        Form::SearchStore => "geosearchstore",
        _ => "georadiusstore",
    };
    let stored = SortedSet::of_gathered(gathered, limits(call.config));
    // Each place counts as a change.
    call.effects.dirty += stored.len().saturating_sub(1) as u64;
    store_result(call, destination, stored, event::zset(name));
    Ok(())
}

pub(super) fn geosearch(call: &mut Call) -> CommandResult {
    run(call, Form::Search)
}

pub(super) fn geosearchstore(call: &mut Call) -> CommandResult {
    run(call, Form::SearchStore)
}

pub(super) fn georadius(call: &mut Call) -> CommandResult {
    run(call, Form::Radius)
}

pub(super) fn georadius_ro(call: &mut Call) -> CommandResult {
    run(call, Form::RadiusReadOnly)
}

pub(super) fn georadiusbymember(call: &mut Call) -> CommandResult {
    run(call, Form::RadiusByMember)
}

pub(super) fn georadiusbymember_ro(call: &mut Call) -> CommandResult {
    run(call, Form::RadiusByMemberReadOnly)
}
