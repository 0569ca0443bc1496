//! Elements as they were at some moment, for somebody who looks at them bit by bit, from the highest down, while they change.

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use super::slab::{Id, Members};
use super::tree::{Direction, Key, Tree};

/// A score and a member.
type Pair = (f64, Box<[u8]>);

/// What is still to be shown: the elements below a position in the order, as they were.
#[derive(Debug)]
pub(super) struct Owed {
    /// The last element that was looked at, all those before it being higher; nothing was while there is none.
    position: Option<Pair>,
    /// Members that have been added, changed or taken out. Whoever has one of these numbers now is not meant: a number can be
    /// given to another member only when its former one has been taken out.
    touched: HashSet<Id, RandomState>,
    /// What they were where that is to be shown.
    old: Vec<Pair>,
}

fn pair((score, id): Key, members: &Members) -> Pair {
    (score, members.member(id).into())
}

impl Owed {
    /// Owes all but the `shown` highest elements.
    pub fn new(shown: usize, tree: &Tree, members: &Members) -> Self {
        let last = tree.len().checked_sub(shown).filter(|_| shown > 0);
        let last = last.and_then(|rank| tree.walk(rank, 1, Direction::Up).next());
        Self {
            position: last.map(|key| pair(key, members)),
            touched: HashSet::default(),
            old: Vec::new(),
        }
    }

    /// A member has been added.
    #[cold]
    pub fn add(&mut self, id: Id) {
        self.touched.insert(id);
    }

    /// Before a member gets another score or is taken out.
    #[cold]
    pub fn change(&mut self, id: Id, members: &Members) {
        let key = (members.score(id), id);
        if self.touched.insert(id) && self.is_ahead(key, members) {
            self.old.push(pair(key, members));
        }
    }

    /// Whether an element has not been looked at.
    fn is_ahead(&self, key: Key, members: &Members) -> bool {
        self.position.as_ref().is_none_or(|(score, member)| {
            key.0 < *score || (key.0 == *score && members.member(key.1) < &**member)
        })
    }

    /// Shows about `count`; true at the end.
    pub fn pay(
        &mut self,
        tree: &Tree,
        members: &Members,
        mut count: usize,
        mut show: impl FnMut(&[u8], f64),
    ) -> bool {
        while count > 0
            && let Some((score, member)) = self.old.pop()
        {
            show(&member, score);
            count -= 1;
        }
        if count == 0 {
            return false;
        }
        let end = tree.count_before(|key| self.is_ahead(key, members));
        let start = end.saturating_sub(count);
        let mut last = None;
        for key in tree.walk(start, end - start, Direction::Down) {
            if !self.touched.contains(&key.1) {
                show(members.member(key.1), key.0);
            }
            last = Some(key);
        }
        if let Some(key) = last {
            self.position = Some(pair(key, members));
        }
        start == 0
    }
}
