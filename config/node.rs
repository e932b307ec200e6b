//! The written tree. The only file that knows the YAML crate.

use crate::Place;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// What.
    pub value: Value,
    /// Where.
    pub place: Place,
}

/// A key and where it stands.
pub type Key = (String, Place);

/// A scalar.
#[derive(Clone, Debug)]
pub struct Text {
    /// Decoded, with `${…}` put in.
    pub text: String,
    /// Written without quotes, so it may still turn out to be a number or a boolean.
    pub plain: bool,
    /// As in the file, so that an offset in `text` can be mapped back.
    pub raw: String,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing written.
    Null,
    /// A scalar.
    Text(Text),
    /// A list.
    List(Vec<Node>),
    /// A map, in written order.
    Map(Vec<(Key, Node)>),
}
