//! Why a record went no further: the word in the ledger, in metrics (`reason`) and in docs.

/// A word such as `filtered` or `no_rule`. Static, so that a ledger cannot grow with the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(pub &'static str);

impl Reason {
    /// Met a `drop:` condition or missed a `keep:` condition.
    pub const FILTERED: Reason = Reason("filtered");
    /// A script said `abort`.
    pub const ABORTED: Reason = Reason("aborted");
    /// Chance decided against the trace.
    pub const SAMPLED: Reason = Reason("sampled");
    /// The trace window was nearly full, and chance was against the trace.
    pub const SHED: Reason = Reason("shed");
    /// No sampling rule matched the trace.
    pub const NO_RULE: Reason = Reason("no_rule");
    /// Metrics were made of it.
    pub const MEASURED: Reason = Reason("measured");
    /// Equal logs came shortly before; a record that went on has their number.
    pub const DUPLICATE: Reason = Reason("duplicate");
    /// More came than a limit lets through; a record that went on has their number.
    pub const OVER_LIMIT: Reason = Reason("over_limit");
    /// The same request came before.
    pub const REPEAT: Reason = Reason("repeat");
    /// Nobody reads the output it was sent to.
    pub const NO_READER: Reason = Reason("no_reader");
    /// It breaks a rule by itself and was cut out of its request; its client was told so.
    pub const CUT: Reason = Reason("cut");
    /// A sink refused it for good.
    pub const REFUSED: Reason = Reason("refused");
    /// A request that could not be read at all; counted as one record.
    pub const MALFORMED: Reason = Reason("malformed");
    /// Alone too large for a sink; of a request, larger than the source takes.
    pub const TOO_LARGE: Reason = Reason("too_large");
    /// It was on its way through a spill log, and the disk lost it.
    pub const DAMAGED: Reason = Reason("damaged");
    /// The disk did not take it; its client was told so.
    pub const DISK: Reason = Reason("disk");
    /// The lane was closed before it took the record; its client was told so.
    pub const CLOSED: Reason = Reason("closed");
    /// The memory set aside for requests is in use.
    pub const MEMORY: Reason = Reason("memory");
    /// The trace window holds well over its share of the memory.
    pub const WINDOW: Reason = Reason("window_full");
    /// The journal is at its `limit`.
    pub const JOURNAL_FULL: Reason = Reason("journal_full");
    /// Every lane waits for a sink.
    pub const LANES_FULL: Reason = Reason("lanes_full");
    /// The process is going down.
    pub const CLOSING: Reason = Reason("closing");
    /// The same request came before, and no sink has it yet.
    pub const ON_ITS_WAY: Reason = Reason("on_its_way");
    /// The body came too slowly or broke off.
    pub const BROKEN_OFF: Reason = Reason("broken_off");
    /// In minus out did not add up; always a defect.
    pub const UNACCOUNTED: Reason = Reason("unaccounted");
    /// A processor panicked while it had the record, or twice at it where a journal has it, or a sink panicked twice; always a defect.
    pub const PANICKED: Reason = Reason("panicked");
    /// The process ended twice while it read the record again.
    pub const ENDED_PROCESS: Reason = Reason("ended_process");
    /// Its lane began again and reads it from the journal once more.
    pub const REPLAYED: Reason = Reason("replayed");
    /// Whoever has its partition next reads it again.
    pub const RETURNED: Reason = Reason("returned");
    /// Still undelivered when the drain ended.
    pub const DRAIN_ENDED: Reason = Reason("drain_ended");
    /// It was among the dead letters, and newer ones needed its room.
    pub const DEAD_LETTERS_FULL: Reason = Reason("dead_letters_full");
    /// `on_full: drop` and the edge was full.
    pub const QUEUE_FULL: Reason = Reason("queue_full");
}
