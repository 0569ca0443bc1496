//! All users. Readers take no lock; whoever keeps a user looks at the generation to learn that users have changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

use super::catalog::Catalog;
use super::log::Log;
use super::password;
use super::user::{DEFAULT_USER, Defaults, User};
use super::words::{Refused, is_name};

/// Users by name.
pub type Users = BTreeMap<Box<[u8]>, Arc<User>>;

/// All users, and what they were refused.
pub struct Acl {
    catalog: Catalog,
    users: ArcSwap<Users>,
    default: ArcSwap<User>,
    generation: AtomicU64,
    last_identity: AtomicU64,
    /// Held by whoever changes users.
    changing: Mutex<()>,
    /// What users were refused.
    pub log: Mutex<Log>,
}

impl Acl {
    /// The default user alone.
    pub fn new(catalog: Catalog, defaults: Defaults) -> Self {
        let default = Arc::new(User::default(0, &catalog, defaults));
        let users = Users::from([(DEFAULT_USER.as_bytes().into(), default.clone())]);
        Self {
            catalog,
            users: ArcSwap::from_pointee(users),
            default: ArcSwap::new(default),
            generation: AtomicU64::new(0),
            last_identity: AtomicU64::new(0),
            changing: Mutex::new(()),
            log: Mutex::default(),
        }
    }

    /// What rules can name.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Grows with every change of any user.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Acquire)
    }

    /// All users.
    pub fn users(&self) -> Guard<Arc<Users>> {
        self.users.load()
    }

    /// The user of connections that have not said otherwise.
    pub fn default_user(&self) -> Arc<User> {
        self.default.load_full()
    }

    /// A user by name.
    pub fn get(&self, name: &[u8]) -> Option<Arc<User>> {
        self.users.load().get(name).cloned()
    }

    /// The user who has this name and this password, unless nobody may log in as that user. Takes as long for names that
    /// nobody has.
    pub fn log_in(&self, name: &[u8], password: &[u8]) -> Option<Arc<User>> {
        let hash = password::hash(password);
        self.get(name).filter(|user| user.accepts(&hash))
    }

    fn new_identity(&self) -> u64 {
        self.last_identity.fetch_add(1, Relaxed) + 1
    }

    /// Changes a user by rules, or makes a new one: all rules or none. Gives the user before and after.
    pub fn set<'w>(
        &self,
        name: &[u8],
        defaults: Defaults,
        words: impl Iterator<Item = &'w [u8]>,
    ) -> Result<(Option<Arc<User>>, Arc<User>), Refused> {
        let _changing = self.changing.lock();
        let old = self.get(name);
        let new = match &old {
            Some(user) => user.with(&self.catalog, defaults, words)?,
            None => User::new(name, self.new_identity(), &self.catalog, defaults).with(
                &self.catalog,
                defaults,
                words,
            )?,
        };
        let mut users = Users::clone(&self.users.load());
        let new = Arc::new(new);
        users.insert(name.into(), new.clone());
        self.put(users);
        Ok((old, new))
    }

    /// Removes a user, unless it is the default one.
    pub fn remove(&self, name: &[u8]) -> Option<Arc<User>> {
        let _changing = self.changing.lock();
        if name == DEFAULT_USER.as_bytes() {
            return None;
        }
        let mut users = Users::clone(&self.users.load());
        let removed = users.remove(name)?;
        self.put(users);
        Some(removed)
    }

    /// Gives the default user this password and no other; none if it is empty.
    pub fn set_password(&self, password: &str, defaults: Defaults) {
        let rule = match password {
            "" => "nopass".to_owned(),
            password => format!(">{password}"),
        };
        let rules = ["resetpass", &rule];
        let rules = rules.into_iter().map(str::as_bytes);
        let result = self.set(DEFAULT_USER.as_bytes(), defaults, rules);
        debug_assert!(result.is_ok());
    }

    /// Puts other users in the place of all. Only the default user keeps its identity, and is there in any case.
    pub fn replace(&self, users: Vec<User>, defaults: Defaults) {
        let _changing = self.changing.lock();
        let users = users.into_iter().map(Arc::new);
        let mut users: Users = users.map(|user| (user.name().into(), user)).collect();
        users
            .entry(DEFAULT_USER.as_bytes().into())
            .or_insert_with(|| Arc::new(User::default(0, &self.catalog, defaults)));
        self.put(users);
    }

    fn put(&self, users: Users) {
        if let Some(default) = users.get(DEFAULT_USER.as_bytes()) {
            self.default.store(default.clone());
        }
        self.users.store(Arc::new(users));
        self.generation.fetch_add(1, Release);
    }

    /// A new user who may do nothing.
    pub(super) fn make(&self, name: &[u8], defaults: Defaults) -> User {
        let identity = match name == DEFAULT_USER.as_bytes() {
            true => 0,
            false => self.new_identity(),
        };
        User::new(name, identity, &self.catalog, defaults)
    }

    /// Makes the users whom the configuration defines, each by its name and its rules. The error says what is wrong.
    pub fn configure(&self, lines: &[Vec<Vec<u8>>], defaults: Defaults) -> Result<(), String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut users: BTreeMap<&[u8], User> = BTreeMap::new();
        for line in lines {
            let Some((name, rules)) = line.split_first() else {
                continue;
            };
            if !is_name(name) {
                return Err("Spaces not allowed in ACL usernames".into());
            }
            let rules = rules.iter().map(Vec::as_slice);
            let made = self.make(name, defaults);
            let user = made.with(&self.catalog, defaults, rules);
            let user = user.map_err(|refused| match refused {
                Refused::Unmatched(word) => format!(
                    "Unmatched parenthesis in acl selector starting at '{}'.",
                    text(&word)
                ),
                Refused::Rule(rule, error) => format!(
                    "Error loading ACL rule '{}' for the user named '{}': {error}",
                    text(&rule),
                    text(name)
                ),
            })?;
            if !user.is_on() {
                tracing::info!(
                    "The user '{}' is disabled (there is no 'on' modifier in the user description). Make sure this is not \
                     a configuration error.",
                    text(name)
                );
            }
            if users.insert(name, user).is_some() {
                return Err(
                    "Duplicate user found. A user can only be defined once in config files".into(),
                );
            }
        }
        if users.is_empty() {
            return Ok(());
        }
        let default = User::clone(&self.default_user());
        users.entry(DEFAULT_USER.as_bytes()).or_insert(default);
        self.replace(users.into_values().collect(), defaults);
        Ok(())
    }
}
