//! Every way out of the rules, by name.

/// Why a version is visible, is not, or why that cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Visible: its maker had ended and is committed; nothing ended it.
    MakerCommittedBefore,
    /// Visible: it is frozen, and nothing ended it.
    Frozen,
    /// Visible: the viewer made it in an earlier command.
    OwnChange,
    /// Visible: its `xmax` only locks it.
    LockedOnly,
    /// Visible: who replaced or deleted it was rolled back.
    EnderAborted,
    /// Visible: who replaced or deleted it still runs.
    EnderRunning,
    /// Visible: who replaced or deleted it is prepared.
    EnderPrepared,
    /// Visible: who replaced or deleted it was committed, but after the snapshot.
    EnderCommittedAfter,
    /// Visible: who replaced or deleted it had not ended when the snapshot was taken; how it ended is not known.
    EnderNotEnded,
    /// Visible: the viewer replaced or deleted it in this command or a later one (a cursor sees it still).
    OwnLaterEnd,

    /// Not visible: its maker runs still.
    MakerRunning,
    /// Not visible: its maker is prepared.
    MakerPrepared,
    /// Not visible: its maker was committed, but after the snapshot.
    MakerCommittedAfter,
    /// Not visible: its maker had not ended when the snapshot was taken; how it ended is not known.
    MakerNotEnded,
    /// Not visible: its maker was rolled back.
    MakerAborted,
    /// Not visible: a speculative insert (`on conflict`) that was taken back.
    TakenBack,
    /// Not visible: the viewer made it in this command or a later one.
    OwnLaterCommand,
    /// Not visible: a committed transaction replaced it.
    Replaced,
    /// Not visible: a committed transaction deleted it.
    Deleted,
    /// Not visible: a committed transaction moved it to another partition.
    MovedToPartition,
    /// Not visible: the viewer replaced it in an earlier command.
    OwnReplaced,
    /// Not visible: the viewer deleted it in an earlier command.
    OwnDeleted,
    /// Not visible: a `vacuum full` of before 9.0 moved it away, or did not finish moving it here.
    Moved,

    /// Unknown: how its maker stands is not known.
    UnknownMaker,
    /// Unknown: how who ended it stands is not known.
    UnknownEnder,
    /// Unknown: a committed transaction could be part of one that the snapshot names.
    UnknownSubtransaction,
    /// Unknown: the members of the multixact are not known.
    UnknownMultixact,
    /// Unknown: the command is a combination that only its session can take apart.
    UnknownCommand,
    /// Unknown: the 32 bits on the page cannot be made a transaction id.
    UnknownEpoch,
}

impl Reason {
    /// All of them, in their order.
    pub const ALL: [Self; 29] = [
        Self::MakerCommittedBefore,
        Self::Frozen,
        Self::OwnChange,
        Self::LockedOnly,
        Self::EnderAborted,
        Self::EnderRunning,
        Self::EnderPrepared,
        Self::EnderCommittedAfter,
        Self::EnderNotEnded,
        Self::OwnLaterEnd,
        Self::MakerRunning,
        Self::MakerPrepared,
        Self::MakerCommittedAfter,
        Self::MakerNotEnded,
        Self::MakerAborted,
        Self::TakenBack,
        Self::OwnLaterCommand,
        Self::Replaced,
        Self::Deleted,
        Self::MovedToPartition,
        Self::OwnReplaced,
        Self::OwnDeleted,
        Self::Moved,
        Self::UnknownMaker,
        Self::UnknownEnder,
        Self::UnknownSubtransaction,
        Self::UnknownMultixact,
        Self::UnknownCommand,
        Self::UnknownEpoch,
    ];

    /// Its code, as SQL functions and the page have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MakerCommittedBefore => "maker-committed-before",
            Self::Frozen => "frozen",
            Self::OwnChange => "own-change",
            Self::LockedOnly => "locked-only",
            Self::EnderAborted => "ender-aborted",
            Self::EnderRunning => "ender-running",
            Self::EnderPrepared => "ender-prepared",
            Self::EnderCommittedAfter => "ender-committed-after",
            Self::EnderNotEnded => "ender-not-ended",
            Self::OwnLaterEnd => "own-later-end",
            Self::MakerRunning => "maker-running",
            Self::MakerPrepared => "maker-prepared",
            Self::MakerCommittedAfter => "maker-committed-after",
            Self::MakerNotEnded => "maker-not-ended",
            Self::MakerAborted => "maker-aborted",
            Self::TakenBack => "taken-back",
            Self::OwnLaterCommand => "own-later-command",
            Self::Replaced => "replaced",
            Self::Deleted => "deleted",
            Self::MovedToPartition => "moved-to-partition",
            Self::OwnReplaced => "own-replaced",
            Self::OwnDeleted => "own-deleted",
            Self::Moved => "moved",
            Self::UnknownMaker => "unknown-maker",
            Self::UnknownEnder => "unknown-ender",
            Self::UnknownSubtransaction => "unknown-subtransaction",
            Self::UnknownMultixact => "unknown-multixact",
            Self::UnknownCommand => "unknown-command",
            Self::UnknownEpoch => "unknown-epoch",
        }
    }

    /// Whether it makes a version visible; `None` if that cannot be known.
    #[must_use]
    pub const fn is_visible(self) -> Option<bool> {
        match self {
            Self::MakerCommittedBefore
            | Self::Frozen
            | Self::OwnChange
            | Self::LockedOnly
            | Self::EnderAborted
            | Self::EnderRunning
            | Self::EnderPrepared
            | Self::EnderCommittedAfter
            | Self::EnderNotEnded
            | Self::OwnLaterEnd => Some(true),
            Self::MakerRunning
            | Self::MakerPrepared
            | Self::MakerCommittedAfter
            | Self::MakerNotEnded
            | Self::MakerAborted
            | Self::TakenBack
            | Self::OwnLaterCommand
            | Self::Replaced
            | Self::Deleted
            | Self::MovedToPartition
            | Self::OwnReplaced
            | Self::OwnDeleted
            | Self::Moved => Some(false),
            Self::UnknownMaker
            | Self::UnknownEnder
            | Self::UnknownSubtransaction
            | Self::UnknownMultixact
            | Self::UnknownCommand
            | Self::UnknownEpoch => None,
        }
    }

    /// The reason of a code.
    #[must_use]
    pub fn of_str(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == code)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}
