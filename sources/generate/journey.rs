//! One visit to the shop, as the spans and log lines that four services write of it.

use super::{
    random::Random,
    service::{Service, number, text, words},
    shop::{Pending, Record},
};
use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    logs::v1::{LogRecord, SeverityNumber},
    trace::v1::{Span, Status, span::Event, span::SpanKind, status::StatusCode},
};

/// How a visit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Looks at a product.
    Browse,
    /// Buys it.
    Buy,
    /// Buys it after waiting for a lock in the inventory.
    Slow,
    /// Cannot pay for it.
    Declined,
}

/// A visit, told.
pub(super) struct Told {
    pub(super) records: Vec<Pending>,
    /// How long the visitor waited.
    pub(super) seconds: f64,
}

const DECLINED: &str = "card declined: insufficient funds";
const SKUS: [&str; 6] = ["tea-oolong-100g", "cup-raku", "kettle-iron", "whisk-bamboo", "tin-cherry", "tray-lacquer"];
const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;

/// Tells a visit that begins at `start` (Unix nanoseconds).
pub(super) fn tell(kind: Kind, start: u64, random: &mut Random) -> Told {
    let mut visit =
        Visit { trace_id: random.trace_id(), order: random.between(10_000, 99_999), sku: random.pick(&SKUS), random, records: Vec::new() };
    let end = if kind == Kind::Browse { visit.browse(start) } else { visit.buy(kind, start) };
    Told { seconds: end.saturating_sub(start) as f64 / 1e9, records: visit.records }
}

struct Visit<'a> {
    trace_id: Vec<u8>,
    order: u64,
    sku: &'static str,
    random: &'a mut Random,
    records: Vec<Pending>,
}

/// How a log line carries its ids.
enum Ids<'a> {
    /// In OTLP's own fields.
    Fields(&'a [u8]),
    /// In attributes, as a logging library's context does.
    Attributes(&'a [u8]),
    /// In the text itself, as JSON or as `key=value`.
    Text,
}

impl Visit<'_> {
    fn browse(&mut self, start: u64) -> u64 {
        let (root, call) = (self.random.span_id(), self.random.span_id());
        let asked = start + self.ms(1, 3);
        let known = self.inventory("GetStock", &call, asked, 0);
        let answered = known + self.ms(1, 2);
        let end = answered + self.ms(1, 4);
        let path = format!("/products/{}", self.sku);
        let http = vec![
            text("http.request.method", "GET"),
            text("http.route", "/products/{sku}"),
            text("url.path", &path),
            number("http.response.status_code", 200),
        ];
        self.span(
            Service::Frontend,
            &call,
            &root,
            SpanKind::Client,
            "inventory.Stock/GetStock",
            (asked, answered),
            rpc("inventory.Stock", "GetStock"),
        );
        self.span(Service::Frontend, &root, &[], SpanKind::Server, "GET /products/{sku}", (start, end), http);
        self.log(Service::Frontend, end, SeverityNumber::Info, &format!("GET {path} 200"), Ids::Fields(&root), vec![]);
        end
    }

    fn buy(&mut self, kind: Kind, start: u64) -> u64 {
        let (root, call) = (self.random.span_id(), self.random.span_id());
        let asked = start + self.ms(1, 4);
        let placed = self.checkout(kind, &call, asked);
        let answered = placed + self.ms(1, 2);
        let end = answered + self.ms(1, 5);
        let declined = kind == Kind::Declined;
        let status = if declined { 500 } else { 200 };
        let http = vec![
            text("http.request.method", "POST"),
            text("http.route", "/checkout"),
            text("url.path", "/checkout"),
            number("http.response.status_code", status),
            number("shop.order.id", self.order_number()),
        ];
        self.span(
            Service::Frontend,
            &call,
            &root,
            SpanKind::Client,
            "checkout.Orders/Place",
            (asked, answered),
            rpc("checkout.Orders", "Place"),
        );
        self.fail(declined.then_some("checkout failed"));
        self.span(Service::Frontend, &root, &[], SpanKind::Server, "POST /checkout", (start, end), http);
        self.fail(declined.then_some("checkout failed"));
        let severity = if declined { SeverityNumber::Error } else { SeverityNumber::Info };
        self.log(Service::Frontend, end, severity, &format!("POST /checkout {status}"), Ids::Fields(&root), vec![]);
        end
    }

    /// Places the order on behalf of `parent`; returns when it has answered.
    fn checkout(&mut self, kind: Kind, parent: &[u8], sent: u64) -> u64 {
        let start = sent + self.ms(1, 2);
        let (own, reserve, charge) = (self.random.span_id(), self.random.span_id(), self.random.span_id());
        let asked = start + self.ms(2, 5);
        let waits = if kind == Kind::Slow { self.ms(1_200, 2_600) } else { 0 };
        let reserved = self.inventory("Reserve", &reserve, asked, waits) + self.ms(1, 2);
        let charging = reserved + self.ms(1, 3);
        let declined = kind == Kind::Declined;
        let charged = self.payment(kind, &charge, charging) + self.ms(1, 2);
        let end = charged + self.ms(1, 5);
        self.span(
            Service::Checkout,
            &reserve,
            &own,
            SpanKind::Client,
            "inventory.Stock/Reserve",
            (asked, reserved),
            rpc("inventory.Stock", "Reserve"),
        );
        self.span(
            Service::Checkout,
            &charge,
            &own,
            SpanKind::Client,
            "payment.Cards/Charge",
            (charging, charged),
            rpc("payment.Cards", "Charge"),
        );
        self.fail(declined.then_some(DECLINED));
        let mut attributes = rpc("checkout.Orders", "Place");
        attributes.push(number("shop.order.id", self.order_number()));
        self.span(Service::Checkout, &own, parent, SpanKind::Server, "checkout.Orders/Place", (start, end), attributes);
        self.fail(declined.then_some("payment failed"));
        let (level, said) = if declined { ("error", "order failed") } else { ("info", "order placed") };
        let severity = if declined { SeverityNumber::Error } else { SeverityNumber::Info };
        let line = format!(
            r#"{{"level":"{level}","message":"{said}","order_id":{},"trace_id":"{}","span_id":"{}"}}"#,
            self.order,
            hex(&self.trace_id),
            hex(&own)
        );
        self.log(Service::Checkout, end, severity, &line, Ids::Text, vec![]);
        end
    }

    /// Looks up or reserves stock, after waiting for the lock where `waits` is not zero; returns when it has answered.
    fn inventory(&mut self, method: &str, parent: &[u8], sent: u64, waits: u64) -> u64 {
        let start = sent + self.ms(1, 2);
        let (own, query) = (self.random.span_id(), self.random.span_id());
        let asked = start + self.ms(1, 2);
        let locked = asked + waits;
        let answered = locked + self.ms(4, 15);
        let end = answered + self.ms(1, 2);
        if waits > 0 {
            let lock = self.random.span_id();
            let attributes = vec![text("shop.sku", self.sku), text("lock.name", "stock")];
            self.span(Service::Inventory, &lock, &own, SpanKind::Internal, "wait for stock lock", (asked, locked), attributes);
            let said = format!("waited {} ms for the stock lock of {}", waits / MILLISECOND, self.sku);
            self.log(Service::Inventory, locked, SeverityNumber::Warn, &said, Ids::Attributes(&own), vec![text("shop.sku", self.sku)]);
        }
        let statement = "SELECT count FROM stock WHERE sku = $1";
        let database = vec![text("db.system.name", "postgresql"), text("db.namespace", "shop"), text("db.query.text", statement)];
        self.span(Service::Inventory, &query, &own, SpanKind::Client, "SELECT stock", (locked, answered), database);
        let mut attributes = rpc("inventory.Stock", method);
        attributes.push(text("shop.sku", self.sku));
        self.span(Service::Inventory, &own, parent, SpanKind::Server, &format!("inventory.Stock/{method}"), (start, end), attributes);
        let line = format!("{method} sku={} trace_id={} span_id={}", self.sku, hex(&self.trace_id), hex(&own));
        self.log(Service::Inventory, end, SeverityNumber::Info, &line, Ids::Text, vec![]);
        end
    }

    /// Charges the card; returns when it has answered.
    fn payment(&mut self, kind: Kind, parent: &[u8], sent: u64) -> u64 {
        let start = sent + self.ms(1, 2);
        let own = self.random.span_id();
        let end = start + self.ms(15, 60);
        let cents = self.random.between(450, 19_900);
        let amount = format!("{}.{:02} EUR", cents / 100, cents % 100);
        let mut attributes = rpc("payment.Cards", "Charge");
        attributes.extend([text("shop.payment.amount", &amount), text("shop.payment.provider", "acme-pay")]);
        self.span(Service::Payment, &own, parent, SpanKind::Server, "payment.Cards/Charge", (start, end), attributes);
        let said_at = end.saturating_sub(200 * MICROSECOND);
        if kind == Kind::Declined {
            self.fail(Some(DECLINED));
            self.except(said_at);
            let about = vec![
                text("exception.type", "CardDeclined"),
                text("exception.message", DECLINED),
                number("shop.order.id", self.order_number()),
            ];
            self.log(Service::Payment, said_at, SeverityNumber::Error, DECLINED, Ids::Fields(&own), about);
        } else {
            self.log(Service::Payment, said_at, SeverityNumber::Info, &format!("charged {amount}"), Ids::Fields(&own), vec![]);
        }
        end
    }

    #[expect(clippy::too_many_arguments, reason = "each is one field of a span")]
    fn span(
        &mut self,
        service: Service,
        id: &[u8],
        parent: &[u8],
        kind: SpanKind,
        name: &str,
        (start, end): (u64, u64),
        attributes: Vec<KeyValue>,
    ) {
        let span = Span {
            trace_id: self.trace_id.clone(),
            span_id: id.to_vec(),
            parent_span_id: parent.to_vec(),
            flags: 1,
            name: name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            ..Span::default()
        };
        self.records.push(Pending { service, ended: end, record: Record::Span(span) });
    }

    /// Marks the last span as failed, if there is a reason.
    fn fail(&mut self, why: Option<&str>) {
        if let (Some(why), Some(Pending { record: Record::Span(span), .. })) = (why, self.records.last_mut()) {
            span.status = Some(Status { code: StatusCode::Error.into(), message: why.to_owned() });
        }
    }

    /// Adds the exception event to the last span.
    fn except(&mut self, at: u64) {
        if let Some(Pending { record: Record::Span(span), .. }) = self.records.last_mut() {
            let attributes = vec![text("exception.type", "CardDeclined"), text("exception.message", DECLINED)];
            span.events.push(Event { time_unix_nano: at, name: "exception".into(), attributes, ..Event::default() });
        }
    }

    fn log(&mut self, service: Service, at: u64, severity: SeverityNumber, body: &str, ids: Ids<'_>, mut attributes: Vec<KeyValue>) {
        let mut log = LogRecord {
            time_unix_nano: at,
            observed_time_unix_nano: at,
            severity_number: severity.into(),
            severity_text: severity.as_str_name().trim_start_matches("SEVERITY_NUMBER_").to_owned(),
            body: Some(words(body)),
            ..LogRecord::default()
        };
        match ids {
            Ids::Fields(span) => (log.trace_id, log.span_id, log.flags) = (self.trace_id.clone(), span.to_vec(), 1),
            Ids::Attributes(span) => attributes.extend([text("trace_id", &hex(&self.trace_id)), text("span_id", &hex(span))]),
            Ids::Text => {}
        }
        log.attributes = attributes;
        self.records.push(Pending { service, ended: at, record: Record::Log(log) });
    }

    /// A length of time in nanoseconds, from and to in milliseconds.
    fn ms(&mut self, low: u64, high: u64) -> u64 {
        self.random.between(low * MILLISECOND, high * MILLISECOND)
    }

    fn order_number(&self) -> i64 {
        i64::try_from(self.order).unwrap_or_default()
    }
}

fn rpc(service: &str, method: &str) -> Vec<KeyValue> {
    vec![text("rpc.system", "grpc"), text("rpc.service", service), text("rpc.method", method)]
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
