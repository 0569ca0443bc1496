//! The libraries of functions: their codes, what they have registered, and the interpreter that has run their codes. All of
//! it is shared by all workers: what a library keeps in its variables is the same for every caller.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;

use super::header::{self, ScriptFlags};
use super::host::Host;
use super::vm::{Failure, FunctionVm, Inputs};
use crate::resp::reply::Reply;

/// How long the code of a library may take to register its functions.
pub const LOAD_LIMIT: Duration = Duration::from_millis(500);

/// A function that a library has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: Vec<u8>,
    /// What it says of itself.
    pub description: Option<Vec<u8>>,
    /// What it declares.
    pub flags: ScriptFlags,
}

/// A library.
#[derive(Debug)]
pub struct Library {
    /// Tells it from all libraries before and after it.
    pub(super) id: u64,
    /// Its name.
    pub name: Vec<u8>,
    /// Its code, first line included.
    pub code: Bytes,
    /// How many of the first bytes are not Lua.
    pub(super) skip: usize,
    /// Its functions, in the order in which it registers them.
    pub functions: Vec<Function>,
}

impl Library {
    fn bytes(&self) -> usize {
        let function = |function: &Function| {
            let described = function.description.as_ref().map_or(0, Vec::len);
            size_of::<Function>() + function.name.len() + described
        };
        let functions: usize = self.functions.iter().map(function).sum();
        size_of::<Self>() + self.name.len() + self.code.len() + functions
    }
}

/// A function with its library.
#[derive(Debug, Clone)]
pub struct Found {
    /// The library.
    pub library: Arc<Library>,
    /// Which of its functions.
    pub(super) index: usize,
}

impl Found {
    /// The function.
    pub fn function(&self) -> &Function {
        &self.library.functions[self.index]
    }
}

/// All libraries at one moment.
#[derive(Debug, Clone, Default)]
pub struct Libraries {
    by_name: BTreeMap<Vec<u8>, Arc<Library>>,
    /// By name in lower case.
    functions: HashMap<Vec<u8>, Found>,
}

/// What FUNCTION RESTORE does with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Forgets all of it.
    Flush,
    /// Keeps it; a name that is taken is an error.
    Append,
    /// Keeps it, but replaces libraries of the same name.
    Replace,
}

impl Libraries {
    /// All of them, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Library>> {
        self.by_name.values()
    }

    /// A library by its name.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<Library>> {
        self.by_name.get(name)
    }

    /// A function by its name in any case.
    pub fn function(&self, name: &[u8]) -> Option<&Found> {
        match self.functions.get(name) {
            None if name.iter().any(u8::is_ascii_uppercase) => {
                self.functions.get(&name.to_ascii_lowercase())
            }
            found => found,
        }
    }

    /// How many functions they have.
    pub fn functions(&self) -> usize {
        self.functions.len()
    }

    /// Bytes that all of it takes.
    pub fn bytes(&self) -> usize {
        self.iter().map(|library| library.bytes()).sum()
    }

    fn remove(&mut self, name: &[u8]) -> bool {
        let removed = self.by_name.remove(name);
        for function in removed.iter().flat_map(|library| &library.functions) {
            self.functions.remove(&function.name.to_ascii_lowercase());
        }
        removed.is_some()
    }

    fn add(&mut self, library: Arc<Library>) -> Result<(), String> {
        for function in &library.functions {
            if self
                .functions
                .contains_key(&function.name.to_ascii_lowercase())
            {
                let name = String::from_utf8_lossy(&function.name);
                return Err(format!("Function {name} already exists"));
            }
        }
        for (index, function) in library.functions.iter().enumerate() {
            let found = Found {
                library: library.clone(),
                index,
            };
            self.functions
                .insert(function.name.to_ascii_lowercase(), found);
        }
        self.by_name.insert(library.name.clone(), library);
        Ok(())
    }
}

/// The libraries as they are now.
#[derive(Default)]
pub struct Functions {
    now: ArcSwap<Libraries>,
    last_id: AtomicU64,
    /// One change at a time.
    changing: Mutex<()>,
    vm: FunctionVm,
}

impl fmt::Debug for Functions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.now().fmt(out)
    }
}

impl Functions {
    /// All libraries as of now.
    pub fn now(&self) -> arc_swap::Guard<Arc<Libraries>> {
        self.now.load()
    }

    /// The codes of all libraries: what a snapshot keeps of them.
    pub fn libraries(&self) -> Vec<Bytes> {
        let now = self.now();
        now.iter().map(|library| library.code.clone()).collect()
    }

    /// Loads a library: runs its code, which registers its functions. Gives its name. `limit` is how long that may take.
    pub fn load(
        &self,
        code: &[u8],
        replace: bool,
        limit: Option<Duration>,
    ) -> Result<Vec<u8>, String> {
        let _changing = self.changing.lock();
        let mut libraries = Libraries::clone(&self.now());
        let name = self.load_into(&mut libraries, code, replace, limit);
        if name.is_ok() {
            self.now.store(Arc::new(libraries));
        }
        self.forget_others();
        name
    }

    /// Calls a function. An error before it runs is a line.
    pub fn call(
        &self,
        found: &Found,
        inputs: Inputs<'_>,
        host: &mut dyn Host,
        out: &mut Reply,
    ) -> Result<Result<(), Failure>, String> {
        self.vm.call(found, inputs, host, out)
    }

    /// The interpreter keeps nothing of libraries that are not there, or did not get there.
    fn forget_others(&self) {
        let ids: HashSet<u64> = self.now().iter().map(|library| library.id).collect();
        self.vm.forget(|id| ids.contains(&id));
    }

    fn load_into(
        &self,
        libraries: &mut Libraries,
        code: &[u8],
        replace: bool,
        limit: Option<Duration>,
    ) -> Result<Vec<u8>, String> {
        let (name, skip) = header::of_library(code)?;
        if libraries.get(&name).is_some() && !replace {
            let name = String::from_utf8_lossy(&name);
            return Err(format!("Library '{name}' already exists"));
        }
        let mut library = Library {
            id: self.last_id.fetch_add(1, Relaxed) + 1,
            name: name.clone(),
            code: Bytes::copy_from_slice(code),
            skip,
            functions: Vec::new(),
        };
        library.functions = self.vm.load(&library, limit)?;
        if library.functions.is_empty() {
            return Err("No functions registered".into());
        }
        libraries.remove(&name);
        libraries.add(Arc::new(library))?;
        Ok(name)
    }

    /// Loads several libraries, all or none.
    pub fn restore(&self, codes: &[Vec<u8>], policy: Policy) -> Result<(), String> {
        let _changing = self.changing.lock();
        let restored = self.restored(codes, policy);
        if let Ok(libraries) = &restored {
            self.now.store(libraries.clone());
        }
        self.forget_others();
        restored.map(drop)
    }

    /// What there will be after [`Functions::restore`].
    fn restored(&self, codes: &[Vec<u8>], policy: Policy) -> Result<Arc<Libraries>, String> {
        let mut restored = Libraries::default();
        for code in codes {
            self.load_into(&mut restored, code, false, Some(LOAD_LIMIT))?;
        }
        let mut libraries = match policy {
            Policy::Flush => Libraries::default(),
            Policy::Append | Policy::Replace => Libraries::clone(&self.now()),
        };
        for library in restored.iter() {
            let is_taken = libraries.get(&library.name).is_some();
            if is_taken && policy == Policy::Append {
                let name = String::from_utf8_lossy(&library.name);
                return Err(format!("Library {name} already exists"));
            }
            libraries.remove(&library.name);
        }
        for library in restored.iter() {
            libraries.add(library.clone())?;
        }
        Ok(Arc::new(libraries))
    }

    /// Forgets a library. False when there is none of this name.
    pub fn delete(&self, name: &[u8]) -> bool {
        let _changing = self.changing.lock();
        let mut libraries = Libraries::clone(&self.now());
        let was_there = libraries.remove(name);
        if was_there {
            self.now.store(Arc::new(libraries));
            self.forget_others();
        }
        was_there
    }

    /// Forgets all libraries.
    pub fn flush(&self) {
        let _changing = self.changing.lock();
        self.now.store(Arc::default());
        self.forget_others();
    }
}
