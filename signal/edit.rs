//! What to change in one record. Collected while the record is viewed, applied by `Batch::edit` as a patch of its bytes.

use crate::{SpanId, TraceId, Value};

/// Changes to one record; several on one key: the last wins. What the record's kind does not have (a name on a log) is ignored.
#[derive(Debug, Default)]
pub struct Edit {}

impl Edit {
    /// Sets or replaces an attribute of the record.
    pub fn set_attribute(&mut self, key: &str, value: Value) {
        let _ = (key, value);
        todo!()
    }
    /// Removes an attribute of the record.
    pub fn remove_attribute(&mut self, key: &str) {
        let _ = key;
        todo!()
    }
    /// Sets or replaces an attribute of the record's resource. Records of the same resource that do not ask for the same change keep the old resource.
    pub fn set_resource_attribute(&mut self, key: &str, value: Value) {
        let _ = (key, value);
        todo!()
    }
    /// Removes an attribute of the record's resource.
    pub fn remove_resource_attribute(&mut self, key: &str) {
        let _ = key;
        todo!()
    }
    /// Renames a span or a metric (all points of a metric share its name: those that ask for another name move to a metric of their own).
    pub fn set_name(&mut self, name: &str) {
        let _ = name;
        todo!()
    }
    /// Sets a span's status: 0 unset, 1 ok, 2 error, and its message if one is given.
    pub fn set_status(&mut self, code: u8, message: Option<&str>) {
        let _ = (code, message);
        todo!()
    }
    /// Sets a log's severity number, 0 (unset) to 24.
    pub fn set_severity_number(&mut self, number: u8) {
        let _ = number;
        todo!()
    }
    /// Sets a log's severity text.
    pub fn set_severity_text(&mut self, text: &str) {
        let _ = text;
        todo!()
    }
    /// Sets a log's body.
    pub fn set_body(&mut self, body: Value) {
        let _ = body;
        todo!()
    }
    /// Sets a log's time, in nanoseconds.
    pub fn set_time(&mut self, time: u64) {
        let _ = time;
        todo!()
    }
    /// Sets a span's `trace_state`.
    pub fn set_trace_state(&mut self, state: &str) {
        let _ = state;
        todo!()
    }
    /// Sets a log's trace id, and its span id if one is given.
    pub fn set_ids(&mut self, trace: TraceId, span: Option<SpanId>) {
        let _ = (trace, span);
        todo!()
    }
    /// Takes the record out.
    pub fn discard(&mut self) {
        todo!()
    }
}
