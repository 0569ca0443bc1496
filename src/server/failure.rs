//! What is logged of a command that failed by a fault of its own: besides the panic's own report, who sent what.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::{Client, Engine};
use crate::resp::args::Args;

/// Arguments whose sizes are told.
const MOST_ARGUMENTS: usize = 16;

/// Logs a failed command with its client, which is closed. Of its arguments only sizes are told, and of secrets nothing.
pub(super) fn report(engine: &Engine, client: &Client, args: Option<Args<'_>>) {
    let spec = engine
        .commands
        .all()
        .get(client.last_command.load(Relaxed) as usize);
    let name = spec.map_or_else(|| "unknown".to_owned(), |spec| spec.name.clone());
    let sizes: Vec<String> = match (args, spec) {
        (Some(args), Some(spec)) => {
            let shown = spec.shown(args);
            let sizes = args
                .iter()
                .zip(shown)
                .skip(1)
                .map(|(arg, shown)| match shown == arg {
                    true => arg.len().to_string(),
                    false => "(redacted)".to_owned(),
                });
            sizes.take(MOST_ARGUMENTS).collect()
        }
        _ => Vec::new(),
    };
    let count = args.map_or(0, |args| args.len());
    let user = client.names.lock().user.clone();
    let user = String::from_utf8_lossy(&user);
    tracing::error!(
        "A command failed unexpectedly; its client is closed. Command: {name}, arguments: {count}, their bytes: [{}]. \
         Client: id={} addr={} laddr={} db={} user={user}",
        sizes.join(", "),
        client.id,
        client.address,
        client.local_address,
        client.database.load(Relaxed),
    );
}
