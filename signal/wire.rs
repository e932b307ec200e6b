//! Protobuf's wire format: varints, tags, fields.
