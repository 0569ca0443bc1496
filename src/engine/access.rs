//! Who a connection is, and what that lets it do.
//!
//! A session keeps its user as it was when it looked last. Users are changed by commands that are alone behind the gate, so it
//! is enough to look at their generation once per batch, and again where a batch has given up its passage.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use smallvec::SmallVec;

use super::call::Call;
use super::client::Client;
use super::command::flags;
use super::error::{CommandError, printable};
use super::mailbox::Mail;
use super::session::{Session, state};
use super::table::{CommandTable, Spec};
use super::{CATEGORIES, Engine};
use crate::acl::{
    Access, Catalog, Context, DEFAULT_USER, Defaults, Denial, Entry, Reason, User, Wish, read_file,
};
use crate::base::clock::unix_ms;
use crate::config::{Config, PubsubDefault};
use crate::observe::throttle::Throttle;
use crate::resp::args::Args;

/// Of a user's name, as many bytes are told to the log.
const LONGEST_NAME_TOLD: usize = 64;

/// How often the log is told of failed logins: ten times a minute at most.
pub(super) fn failed_logins() -> Throttle {
    Throttle::new(10, 60_000)
}

/// The generation of a session that nobody restricts.
const UNBOUND: u64 = u64::MAX;

/// Whom a session acts for.
#[derive(Clone, Default)]
pub struct Login {
    /// `None` for the server itself.
    user: Option<Arc<User>>,
    /// Of users, when this was looked up.
    generation: u64,
    /// Whether the client has shown that it is this user, or did not need to.
    is_authenticated: bool,
}

impl Login {
    /// That of the server's own work, which nobody restricts.
    pub fn of_server() -> Self {
        Self {
            user: None,
            generation: UNBOUND,
            is_authenticated: true,
        }
    }

    /// That of a client which has shown who it is.
    fn of(user: Arc<User>, generation: u64) -> Self {
        Self {
            user: Some(user),
            generation,
            is_authenticated: true,
        }
    }

    /// The user's name; that of the default user for the server itself.
    pub fn name(&self) -> &[u8] {
        let name = self.user.as_ref().map(|user| user.name());
        name.unwrap_or(DEFAULT_USER.as_bytes())
    }

    fn is_restricted(&self) -> bool {
        self.user
            .as_ref()
            .is_some_and(|user| !user.is_unrestricted())
    }

    /// Whether nothing has changed between this and another one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.user.as_ref(), other.user.as_ref());
        mine.map(Arc::as_ptr) == theirs.map(Arc::as_ptr)
            && self.generation == other.generation
            && self.is_authenticated == other.is_authenticated
    }

    fn is(&self, user: &User) -> bool {
        (self.user.as_ref()).is_some_and(|known| known.identity() == user.identity())
    }
}

impl Session {
    /// Takes on a user, and notes what is to be looked at before its commands.
    pub(super) fn set_login(&mut self, login: Login, needs_auth: bool) {
        self.set(
            state::UNAUTHENTICATED,
            needs_auth && !login.is_authenticated,
        );
        self.set(state::RESTRICTED, login.is_restricted());
        if self.login.name() != login.name() {
            self.client.names.lock().user = login.name().to_vec();
        }
        self.login = login;
    }

    /// Whether its user may call a command with these arguments.
    pub(super) fn may_call(&self, spec: &Spec, args: Args<'_>) -> bool {
        let user = self.login.user.as_ref();
        user.is_none_or(|user| spec.check_user(user, args).is_ok())
    }

    /// The name of its user.
    pub fn user_name(&self) -> &[u8] {
        self.login.name()
    }
}

/// The rights of new users.
pub fn defaults(config: &Config) -> Defaults {
    Defaults {
        all_channels: config.acl_pubsub_default == PubsubDefault::AllChannels,
    }
}

/// What rules can name.
pub(super) fn catalog(commands: &CommandTable) -> Catalog {
    let bit_of = |name: &&str| CATEGORIES.iter().position(|known| known == name);
    let entries = commands.all().iter().map(|spec| Entry {
        name: spec.name.clone(),
        categories: (spec.categories().iter())
            .filter_map(bit_of)
            .fold(0, |bits, at| bits | 1 << at),
        parent: spec.parent,
        subcommands: spec.subcommands.clone(),
    });
    Catalog::new(CATEGORIES, entries.collect())
}

/// What a call does with its keys.
type Keys = SmallVec<[(usize, Access); 8]>;

/// What these words of a key specification mean for rights.
fn access(flags: &[&str]) -> Access {
    flags.iter().fold(Access::NONE, |access, flag| match *flag {
        "access" => access.with(Access::READ),
        "insert" | "delete" | "update" => access.with(Access::WRITE),
        _ => access,
    })
}

impl Spec {
    /// What a call with these arguments wants to do, shown to `ask`.
    fn with_wish<R>(
        &self,
        minds_keys: bool,
        args: Args<'_>,
        ask: impl FnOnce(&Wish<'_>) -> R,
    ) -> R {
        let mut keys = Keys::new();
        if minds_keys {
            self.for_each_key_used(args, |at, flags| keys.push((at, access(flags))));
        }
        let channels = self.command.channels;
        let end = match channels {
            Some(channels) if channels.are_many => args.len(),
            Some(channels) => (channels.first + 1).min(args.len()),
            None => 0,
        };
        let first = channels.map_or(0, |channels| channels.first);
        let channels_at: SmallVec<[usize; 8]> = (first..end).collect();
        ask(&Wish {
            command: (!self.has(flags::NO_AUTH)).then_some(self.id),
            args,
            name_words: 1 + usize::from(self.parent.is_some()),
            keys: &keys,
            channels: &channels_at,
            are_patterns: channels.is_some_and(|channels| channels.are_patterns),
        })
    }

    /// Why a user may not call the command with these arguments, if so.
    pub fn check_user(&self, user: &User, args: Args<'_>) -> Result<(), Denial> {
        if user.is_unrestricted() {
            return Ok(());
        }
        self.with_wish(user.minds_keys(), args, |wish| user.check(wish))
    }

    /// What is said to somebody who may not call the command; `is_verbose` names the key or channel.
    pub fn denial(&self, user: &User, args: Args<'_>, denial: Denial, is_verbose: bool) -> Vec<u8> {
        let who = [b"User ", printable(user.name()), b" has no permissions to "].concat();
        let (kind, brief) = match denial.reason {
            Reason::Key => ("key", "No permissions to access a key"),
            Reason::Channel => ("channel", "No permissions to access a channel"),
            _ => {
                let what = format!("run the '{}' command", self.name);
                return [&who[..], what.as_bytes()].concat();
            }
        };
        if !is_verbose {
            return brief.as_bytes().to_vec();
        }
        let name = printable(args.get(denial.at).unwrap_or_default());
        let kind = format!("' {kind}");
        [&who[..], b"access the '", name, kind.as_bytes()].concat()
    }
}

impl Engine {
    /// Makes the users that the configuration defines, or its file of users. The error says what is wrong with them.
    pub fn make_users(&self) -> Result<(), String> {
        let config = self.config.load();
        let defaults = defaults(&config);
        self.acl.set_password(&config.requirepass, defaults);
        if config.aclfile.is_empty() {
            return self.acl.configure(&config.users, defaults);
        }
        let users = read_file(&self.acl, &config.aclfile, defaults)?;
        self.acl.replace(users, defaults);
        Ok(())
    }

    /// Whom a new connection acts for.
    pub fn new_login(&self) -> Login {
        let generation = self.acl.generation();
        let user = self.acl.default_user();
        Login {
            is_authenticated: user.is_open(),
            user: Some(user),
            generation,
        }
    }

    /// Puts a session back to where a new connection begins.
    pub fn log_out(&self, session: &mut Session) {
        session.set_login(self.new_login(), true);
    }

    /// Makes a session act for a user, if the password is right; otherwise the attempt is noted.
    pub fn log_in(
        &self,
        session: &mut Session,
        (name, password): (&[u8], &[u8]),
        command: &[u8],
    ) -> Result<(), CommandError> {
        let generation = self.acl.generation();
        let Some(user) = self.acl.log_in(name, password) else {
            let context = match session.is(state::MULTI) {
                true => Context::Multi,
                false => Context::TopLevel,
            };
            self.note_refusal(session, Reason::Auth, context, command, name);
            self.tell_failed_login(&session.client, name);
            return Err(CommandError::WrongPass);
        };
        session.set_login(Login::of(user, generation), true);
        Ok(())
    }

    /// Tells the log of a failed login: who guesses passwords is to be seen, but must not fill the disk.
    fn tell_failed_login(&self, client: &Client, name: &[u8]) {
        let Some(untold) = self.failed_logins.admit(unix_ms()) else {
            return;
        };
        let (id, address) = (client.id, &client.address);
        let name = name[..name.len().min(LONGEST_NAME_TOLD)].escape_ascii();
        match untold {
            0 => tracing::warn!("Failed login: id={id} addr={address} user=\"{name}\""),
            _ => tracing::warn!(
                "Failed login: id={id} addr={address} user=\"{name}\" ({untold} others have not been logged)"
            ),
        }
    }

    /// Makes a session act for the first of these users that there is and that is on. Something else than a password has
    /// shown who it is.
    pub fn log_in_known(&self, session: &mut Session, names: &[String]) {
        let generation = self.acl.generation();
        let users = names.iter().map(|name| self.acl.get(name.as_bytes()));
        if let Some(user) = users.flatten().find(|user| user.is_on()) {
            session.set_login(Login::of(user, generation), true);
        }
    }

    /// Whether a session's user has not changed since it looked.
    #[inline]
    pub(super) fn knows_user(&self, session: &Session) -> bool {
        session.login.generation == self.acl.generation()
    }

    /// Has a session look at its user again. False when there is no such user any longer: then it must end.
    #[cold]
    pub(super) fn renew_login(&self, session: &mut Session) -> bool {
        if session.login.generation == UNBOUND {
            return true;
        }
        let default = self.acl.default_user();
        let generation = self.acl.generation();
        let user = self.acl.get(session.login.name());
        let Some(user) = user.filter(|user| session.login.is(user)) else {
            self.log_out(session);
            session.login.is_authenticated = false;
            session.set(state::UNAUTHENTICATED, true);
            session.close_after_reply();
            return false;
        };
        let login = Login {
            user: Some(user),
            generation,
            is_authenticated: session.login.is_authenticated,
        };
        session.set_login(login, !default.is_open());
        true
    }

    /// Whether a session whose user is restricted may call a command. A refusal is noted.
    pub(super) fn check_access(
        &self,
        session: &Session,
        spec: &Spec,
        args: Args<'_>,
        context: Context,
    ) -> Result<(), (Denial, Arc<User>)> {
        let Some(user) = &session.login.user else {
            return Ok(());
        };
        let Err(denial) = spec.check_user(user, args) else {
            return Ok(());
        };
        let object = match denial.reason {
            Reason::Key | Reason::Channel => args.at(denial.at),
            _ => spec.name.as_bytes(),
        };
        self.note_refusal(session, denial.reason, context, object, user.name());
        Err((denial, user.clone()))
    }

    /// The error of a call that a session may not make, for clients.
    pub(super) fn refuse_access(
        &self,
        session: &Session,
        spec: &Spec,
        args: Args<'_>,
    ) -> Result<(), CommandError> {
        let context = match session.is(state::MULTI) {
            true => Context::Multi,
            false => Context::TopLevel,
        };
        let checked = self.check_access(session, spec, args, context);
        checked.map_err(|(denial, user)| {
            let text = spec.denial(&user, args, denial, false);
            CommandError::Quoting(Box::new([b"NOPERM ", &text[..]].concat()))
        })
    }

    /// The error of a call that a session was let make, where users have changed since and it may not any longer.
    pub(super) fn check_again(
        &self,
        session: &mut Session,
        spec: &Spec,
        args: Args<'_>,
    ) -> Result<(), CommandError> {
        if self.knows_user(session) {
            return Ok(());
        }
        if !self.renew_login(session) {
            return Err(CommandError::NoAuth);
        }
        match session.is(state::RESTRICTED) {
            true => self.refuse_access(session, spec, args),
            false => Ok(()),
        }
    }

    /// The error of a command that has to wait until the data has been loaded. Who loads it is not asked.
    pub(super) fn check_loading(&self, session: &Session, spec: &Spec) -> Result<(), CommandError> {
        let is_asked = self.is_loading() && session.login.generation != UNBOUND;
        match is_asked && !spec.has(flags::LOADING) {
            true => Err(CommandError::Loading),
            false => Ok(()),
        }
    }

    /// The error of a queued command that a session may not call, or not any longer.
    pub(super) fn check_queued(
        &self,
        session: &mut Session,
        spec: &Spec,
        args: Args<'_>,
    ) -> Result<(), CommandError> {
        if !self.knows_user(session) && !self.renew_login(session) {
            return Err(CommandError::NoAuth);
        }
        if !session.is(state::RESTRICTED) {
            return Ok(());
        }
        let checked = self.check_access(session, spec, args, Context::Multi);
        checked.map_err(|(denial, _)| {
            let reason = match denial.reason {
                Reason::Key => "no permission to touch the specified keys",
                Reason::Channel => {
                    "no permission to access one of the channels used as arguments to the command"
                }
                _ => "no permission to execute the command or subcommand",
            };
            CommandError::message(format!(
                "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
                 command is no longer allowed for the following reason: {reason}"
            ))
        })
    }

    /// Counts something that was refused, and remembers it for ACL LOG.
    fn note_refusal(
        &self,
        session: &Session,
        reason: Reason,
        context: Context,
        object: &[u8],
        user: &[u8],
    ) {
        let stats = &self.stats;
        let count = match reason {
            Reason::Auth => &stats.auth_failures,
            Reason::Command => &stats.denied_commands,
            Reason::Key => &stats.denied_keys,
            Reason::Channel => &stats.denied_channels,
        };
        count.fetch_add(1, Relaxed);
        let hooks = self.hooks.get();
        let client = hooks.map(|hooks| hooks.describe(self, &session.client));
        let client = client.unwrap_or_default();
        let max = self.config.load().acllog_max_len;
        let mut log = self.acl.log.lock();
        log.add(unix_ms(), reason, context, object, user, client, max);
    }

    /// Has a client closed by its own worker; from here on it runs nothing more.
    pub fn kill(&self, client: &Client) {
        client.is_killed.store(true, Relaxed);
        self.mailboxes[client.worker].post(Mail::Kill(client.id));
    }

    /// Closes the connections of a user who is no more. `own` closes when it has been answered.
    pub fn close_clients_of(&self, name: &[u8], own: &mut Session) {
        for client in self.clients_of(name) {
            if client.id == own.client.id {
                own.close_after_reply();
            } else {
                self.kill(&client);
            }
        }
    }

    /// Closes the connections of a user who listen to what the user may not listen to any longer.
    pub fn close_listeners(&self, user: &User, own: &mut Session) {
        let is_lost = |name: &[u8], is_pattern| !user.may_use_channel(name, is_pattern);
        let listeners = self.pubsub.listeners_where(is_lost);
        for client in self.clients_of(user.name()) {
            if !listeners.contains(&client.id) {
                continue;
            }
            if client.id == own.client.id {
                own.close_after_reply();
            } else {
                self.kill(&client);
            }
        }
    }

    fn clients_of(&self, name: &[u8]) -> Vec<Arc<Client>> {
        let mut clients = self.clients.all();
        clients.retain(|client| client.names.lock().user == name);
        clients
    }
}

impl Call<'_, '_> {
    /// Whether the client's user may read every key, besides what the command itself asks for.
    pub fn may_read_all(&self) -> bool {
        let user = self.session.login.user.as_ref();
        user.is_none_or(|user| {
            let args = self.args;
            user.is_unrestricted()
                || self
                    .spec
                    .with_wish(true, args, |wish| user.may_read_all(wish))
        })
    }
}
