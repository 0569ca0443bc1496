//! The commands of clusters, as a server answers them that belongs to none: clients ask before they know.

use crate::engine::{Call, Command, CommandError, CommandResult, Group, flags::*};

fn refuse(_: &mut Call) -> CommandResult {
    Err(CommandError::text(
        "ERR This instance has cluster support disabled",
    ))
}

const fn refused(name: &'static str, syntax: &'static str, flags: u32) -> Command {
    Command::new(name, Group::Cluster, syntax, refuse).flags(flags)
}

const SETS: u32 = ADMIN | STALE | NO_ASYNC_LOADING;
const TELLS: u32 = LOADING | STALE;

const SUBCOMMANDS: &[Command] = &[
    refused("ADDSLOTS", "slot [slot ...]", SETS).docs("3.0.0", "O(N)", "Gives slots to the node."),
    refused(
        "ADDSLOTSRANGE",
        "start-slot end-slot [start-slot end-slot ...]",
        SETS,
    )
    .docs("7.0.0", "O(N)", "Gives ranges of slots to the node."),
    refused("BUMPEPOCH", "", SETS)
        .tips(&["nondeterministic_output"])
        .docs("3.0.0", "O(1)", "Raises the cluster's epoch."),
    refused("COUNT-FAILURE-REPORTS", "node-id", ADMIN | LOADING | STALE)
        .tips(&["nondeterministic_output"])
        .docs(
            "3.0.0",
            "O(N)",
            "Counts the nodes that report a node as failing.",
        ),
    refused("COUNTKEYSINSLOT", "slot", STALE).docs("3.0.0", "O(1)", "Counts the keys of a slot."),
    refused("DELSLOTS", "slot [slot ...]", SETS).docs(
        "3.0.0",
        "O(N)",
        "Takes slots from the node.",
    ),
    refused(
        "DELSLOTSRANGE",
        "start-slot end-slot [start-slot end-slot ...]",
        SETS,
    )
    .docs("7.0.0", "O(N)", "Takes ranges of slots from the node."),
    refused("FAILOVER", "[FORCE | TAKEOVER]", SETS).docs(
        "3.0.0",
        "O(1)",
        "Makes a replica the primary of its slots.",
    ),
    refused("FLUSHSLOTS", "", SETS).docs("3.0.0", "O(1)", "Takes all slots from the node."),
    refused("FORGET", "node-id", SETS).docs(
        "3.0.0",
        "O(1)",
        "Takes a node out of the node's table.",
    ),
    refused("GETKEYSINSLOT", "slot count", STALE)
        .tips(&["nondeterministic_output"])
        .docs("3.0.0", "O(N)", "Gives keys of a slot."),
    refused("HELP", "", TELLS).docs("5.0.0", "O(1)", "Lists the subcommands."),
    refused("INFO", "", TELLS)
        .tips(&["nondeterministic_output"])
        .docs("3.0.0", "O(1)", "Tells of the state of the cluster."),
    refused("KEYSLOT", "key", TELLS).docs("3.0.0", "O(N)", "Gives the slot of a key."),
    refused("LINKS", "", TELLS)
        .tips(&["nondeterministic_output"])
        .docs("7.0.0", "O(N)", "Lists the connections to other nodes."),
    refused("MEET", "ip port [cluster-bus-port]", SETS).docs(
        "3.0.0",
        "O(1)",
        "Joins the node with another one.",
    ),
    refused("MYID", "", TELLS).docs("3.0.0", "O(1)", "Gives the node's id."),
    refused("MYSHARDID", "", TELLS)
        .tips(&["nondeterministic_output"])
        .docs("7.2.0", "O(1)", "Gives the id of the node's shard."),
    refused("NODES", "", TELLS)
        .tips(&["nondeterministic_output"])
        .docs("3.0.0", "O(N)", "Lists the nodes with their slots."),
    refused("REPLICAS", "node-id", ADMIN | LOADING | STALE)
        .tips(&["nondeterministic_output"])
        .docs("5.0.0", "O(N)", "Lists the replicas of a node."),
    refused("REPLICATE", "node-id", SETS).docs(
        "3.0.0",
        "O(1)",
        "Makes the node a replica of another one.",
    ),
    refused("RESET", "[HARD | SOFT]", ADMIN | NOSCRIPT | STALE).docs(
        "3.0.0",
        "O(N)",
        "Has the node forget the cluster.",
    ),
    refused("SAVECONFIG", "", SETS).docs("3.0.0", "O(1)", "Writes the node's table to disk."),
    refused("SET-CONFIG-EPOCH", "config-epoch", SETS).docs(
        "3.0.0",
        "O(1)",
        "Sets a new node's epoch.",
    ),
    refused(
        "SETSLOT",
        "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>",
        SETS,
    )
    .docs("3.0.0", "O(1)", "Says who has a slot, or gets it."),
    refused("SHARDS", "", TELLS)
        .tips(&["nondeterministic_output"])
        .docs(
            "7.0.0",
            "O(N)",
            "Lists the shards with their nodes and slots.",
        ),
    refused("SLAVES", "node-id", ADMIN | LOADING | STALE)
        .deprecated("5.0.0", "`CLUSTER REPLICAS`")
        .tips(&["nondeterministic_output"])
        .docs("3.0.0", "O(N)", "Lists the replicas of a node."),
    refused("SLOTS", "", TELLS)
        .deprecated("7.0.0", "`CLUSTER SHARDS`")
        .tips(&["nondeterministic_output"])
        .docs("3.0.0", "O(N)", "Lists the slots with their nodes."),
];

/// The family.
pub const COMMANDS: &[Command] = &[
    refused("ASKING", "", FAST | CONNECTION).docs(
        "3.0.0",
        "O(1)",
        "Has the next command run though its slot is still on the way here.",
    ),
    Command::container("CLUSTER", Group::Cluster, SUBCOMMANDS).docs(
        "3.0.0",
        "Depends on subcommand",
        "Tells about the cluster, and changes it.",
    ),
    refused("READONLY", "", TELLS | FAST | CONNECTION).docs(
        "3.0.0",
        "O(1)",
        "Lets the connection read from a replica.",
    ),
    refused("READWRITE", "", TELLS | FAST | CONNECTION).docs("3.0.0", "O(1)", "Undoes READONLY."),
];
