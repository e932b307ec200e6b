//! What stands around a record, as JSON; made once for neighbours of the same resource and scope.

use super::Rows;
use crate::{
    json::{push, write_attributes, write_text},
    series::Identity,
    wire,
};
use signal::Record;

/// Resource and scope of the records being read.
#[derive(Default)]
pub(crate) struct Around {
    seen: Option<[(usize, usize); 4]>,
    service: String,
    scope_name: String,
    scope_version: String,
    resource: String,
    scope: String,
    other: String,
    /// Made when the first point asks for it.
    identity: Option<Identity>,
}

impl Around {
    /// Reads the surroundings of this record, if they are not those of the one before.
    pub(crate) fn enter(&mut self, record: &Record<'_>) {
        let place = |bytes: &[u8]| (bytes.as_ptr() as usize, bytes.len());
        let (resource, scope) = (record.resource, record.scope);
        let seen =
            [place(resource.bytes()), place(resource.schema_url().as_bytes()), place(scope.bytes()), place(scope.schema_url().as_bytes())];
        if self.seen == Some(seen) {
            return;
        }
        self.seen = Some(seen);
        self.identity = None;
        for text in [&mut self.service, &mut self.scope_name, &mut self.scope_version, &mut self.resource, &mut self.scope, &mut self.other]
        {
            text.clear();
        }
        self.service.push_str(resource.service());
        self.scope_name.push_str(scope.name());
        self.scope_version.push_str(scope.version());
        write_attributes(&mut self.resource, resource.attributes());
        write_attributes(&mut self.scope, scope.attributes());
        other_text(&mut self.other, "resource_schema_url", resource.schema_url());
        other_text(&mut self.other, "scope_schema_url", scope.schema_url());
        other_count(&mut self.other, "resource_dropped_attributes_count", resource.bytes(), 2);
        other_count(&mut self.other, "scope_dropped_attributes_count", scope.bytes(), 4);
        entity_refs(&mut self.other, resource.bytes());
    }

    /// Adds scope and resource to what a series is told from others by.
    pub(crate) fn identify(&mut self, series: &mut Identity) {
        let identity = self.identity.get_or_insert_with(|| {
            let mut identity = Identity::default();
            identity.text(&self.scope_name);
            identity.text(&self.scope_version);
            identity.object(&self.scope);
            identity.object(&self.resource);
            identity
        });
        series.all_of(identity);
    }

    /// Pushes service, scope name and scope version.
    pub(crate) fn push_names(&self, rows: &mut Rows) {
        rows.text(&self.service);
        rows.text(&self.scope_name);
        rows.text(&self.scope_version);
    }

    /// Pushes resource and scope attributes.
    pub(crate) fn push_attributes(&self, rows: &mut Rows) {
        rows.json(|out| out.push_str(&self.resource));
        rows.json(|out| out.push_str(&self.scope));
    }

    /// Pushes the rest: of the surroundings, and what `write` adds of the record itself.
    pub(crate) fn push_other(&self, rows: &mut Rows, write: impl FnOnce(&mut String)) {
        rows.json(|out| {
            out.push_str(&self.other);
            write(out);
            if !out.is_empty() {
                out.push('}');
            }
        });
    }
}

/// Starts the next key of an object that is closed by `push_other`.
pub(crate) fn other_key(out: &mut String, key: &str) {
    out.push(if out.is_empty() { '{' } else { ',' });
    write_text(out, key);
    out.push(':');
}

/// Adds a text that is not empty.
pub(crate) fn other_text(out: &mut String, key: &str, text: &str) {
    if !text.is_empty() {
        other_key(out, key);
        write_text(out, text);
    }
}

/// Adds a count field of a message that is not zero.
pub(crate) fn other_count(out: &mut String, key: &str, message: &[u8], field: u32) {
    let count = wire::count(message, field);
    if count > 0 {
        other_key(out, key);
        push(out, format_args!("{count}"));
    }
}

/// `Resource.entity_refs`.
fn entity_refs(out: &mut String, resource: &[u8]) {
    let refs: Vec<&[u8]> = wire::messages(resource, 3).collect();
    if refs.is_empty() {
        return;
    }
    other_key(out, "entity_refs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let of = |entity: &[u8], field: u32| -> Vec<String> { wire::messages(entity, field).map(text).collect() };
    let all: Vec<serde_json::Value> = refs
        .into_iter()
        .map(|entity| {
            serde_json::json!({
                "schema_url": of(entity, 1).pop(), "type": of(entity, 2).pop(), "id_keys": of(entity, 3), "description_keys": of(entity, 4),
            })
        })
        .collect();
    push(out, format_args!("{}", serde_json::Value::Array(all)));
}
