//! DEL and UNLINK, which are the same: big values are freed in the background either way.

use crate::engine::{Call, CommandResult, event};

pub(super) fn delete(call: &mut Call) -> CommandResult {
    let mut removed = 0;
    for key in call.all_keys() {
        if let Some(entry) = call.db.remove(key) {
            call.engine.reclaimer.free(entry);
            call.changed(key, event::generic("del"));
            removed += 1;
        }
    }
    call.reply.count(removed);
    Ok(())
}
