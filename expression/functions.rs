//! The VRL functions on offer: those that see nothing but their arguments, and a `now()` that is the pipeline's clock.

use std::sync::LazyLock;
use vrl::compiler::{Function, prelude::*};

/// Functions that reach outside, are random or write logs; never offered, whatever VRL was built with.
const OUTSIDE: &[&str] = &[
    "dns_lookup",
    "get_env_var",
    "get_hostname",
    "get_timezone_name",
    "http_request",
    "log",
    "parse_proto",
    "encode_proto",
    "random_bool",
    "random_bytes",
    "random_float",
    "random_int",
    "reverse_dns",
    "uuid_v4",
    "uuid_v7",
    "validate_json_schema",
];

/// Under this name the pipeline's time, in nanoseconds, travels in a target.
pub(crate) const CLOCK: &str = "now";

static OFFERED: LazyLock<Vec<Box<dyn Function>>> = LazyLock::new(|| {
    let pure = |name: &str| name != "now" && !OUTSIDE.contains(&name);
    vrl::stdlib::all().into_iter().filter(|f| pure(f.identifier())).chain([Box::new(Now) as Box<dyn Function>]).collect()
});

/// Those on offer.
pub(crate) fn all() -> &'static [Box<dyn Function>] {
    &OFFERED
}

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    OFFERED.iter().map(|f| f.identifier())
}

/// Why a function is not on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It exists, and is left out on purpose.
    Outside,
    /// There is none of this name.
    Unknown,
}

/// Whether a function of this name is on offer.
pub(crate) fn offered(name: &str) -> Result<(), Refused> {
    if names().any(|n| n == name) {
        Ok(())
    } else if OUTSIDE.contains(&name) {
        Err(Refused::Outside)
    } else {
        Err(Refused::Unknown)
    }
}

#[derive(Clone, Copy, Debug)]
struct Now;

impl Function for Now {
    fn identifier(&self) -> &'static str {
        "now"
    }
    fn usage(&self) -> &'static str {
        "The pipeline's time."
    }
    fn category(&self) -> &'static str {
        Category::Timestamp.as_ref()
    }
    fn return_kind(&self) -> u16 {
        kind::TIMESTAMP
    }
    fn examples(&self) -> &'static [Example] {
        &[]
    }
    fn compile(&self, _: &state::TypeState, _: &mut FunctionCompileContext, _: ArgumentList) -> Compiled {
        Ok(NowCall.as_expr())
    }
}

#[derive(Clone, Debug)]
struct NowCall;

impl FunctionExpression for NowCall {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let nanos = ctx.target().get_secret(CLOCK).and_then(|nanos| nanos.parse().ok()).unwrap_or_default();
        Ok(Value::Timestamp(crate::operand::time(nanos)))
    }
    fn type_def(&self, _: &state::TypeState) -> TypeDef {
        TypeDef::timestamp()
    }
}
