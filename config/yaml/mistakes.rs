//! What the YAML crate's errors are called.

use serde_yaml::granit_parser::ErrorKind;

/// What a mistake of syntax is called, for somebody who does not know YAML's grammar.
pub(super) fn sentence(kind: &ErrorKind) -> &'static str {
    use ErrorKind as K;
    match kind {
        K::UnexpectedEofFlowSequence | K::UnclosedFlowCollection { open: '[' } => "this `[` is never closed",
        K::UnexpectedEofFlowMapping | K::UnexpectedEofImplicitFlowMapping | K::UnclosedFlowCollection { .. } => "this `{` is never closed",
        K::UnclosedQuotedScalar => "this quote is never closed",
        K::UnknownAnchor => "`*` starts a YAML alias, and nothing has that name",
        K::TabNotAllowed | K::TabInBlockIndentation | K::TabInIndentation | K::TabInPlainScalar | K::TabAtBlockScalarStart => {
            "a tab stands where YAML wants spaces"
        }
        K::ExpectedFlowMappingSeparator => "a `,` or `}` is expected here",
        K::ExpectedFlowSequenceSeparator => "a `,` or `]` is expected here",
        K::MisplacedFlowCollectionEnd | K::MismatchedFlowCollectionEnd { .. } => "this bracket closes nothing that is open",
        K::MappingValueNotAllowed | K::InvalidColonPlacement | K::MappingKeyNotAllowed => {
            "a `:` makes no key here; is the indentation right?"
        }
        K::ExpectedBlockMappingKey | K::SimpleKeyExpected | K::InvalidSimpleKey => "a `key:` is expected here; is the indentation right?",
        K::ExpectedBlockSequenceEntry | K::BlockSequenceEntryNotAllowed => "a `- ` entry does not fit here; is the indentation right?",
        K::InvalidIndentation | K::InvalidBlockScalarIndent | K::InvalidQuotedScalarIndent | K::InvalidFlowScalarIndent => {
            "the indentation does not fit what stands above"
        }
        K::UnexpectedCharacter { .. } => "a value cannot start with this character; quote it",
        K::UnknownQuotedScalarEscape | K::InvalidQuotedScalarHexEscape | K::InvalidUnicodeEscape => {
            "this `\\` escape is unknown in double quotes; in single quotes a backslash is just itself"
        }
        K::InvalidTrailingSingleQuotedScalar | K::InvalidTrailingDoubleQuotedScalar => "something follows the closing quote",
        K::CommentNotSeparated | K::CommentInterceptedScalar => "a comment needs a blank before its `#`",
        K::RecursionLimitExceeded => "this is nested too deeply",
        _ => "this is not YAML that can be understood",
    }
}
