//! What the classes of errors promise to those who decide by them.

use super::*;

#[test]
fn each_sqlstate_has_the_class_that_decides_what_the_caller_does() {
    let check = [
        ("40001", ErrorClass::SerializationFailure),
        ("40P01", ErrorClass::Deadlock),
        ("55P03", ErrorClass::LockTimeout),
        ("23505", ErrorClass::UniqueViolation),
        ("23514", ErrorClass::ConstraintViolation),
        ("23P01", ErrorClass::ConstraintViolation),
        ("57014", ErrorClass::Cancelled),
        ("57P01", ErrorClass::ServerLost),
        ("57P02", ErrorClass::ServerLost),
        ("57P03", ErrorClass::NotConnected),
        ("08006", ErrorClass::ServerLost),
        ("08007", ErrorClass::ServerLost),
        ("40003", ErrorClass::ServerLost),
        ("53100", ErrorClass::Resources),
        ("42P01", ErrorClass::Other),
    ];
    for (code, class) in check {
        assert_eq!(ErrorClass::of_sqlstate(&SqlState::from_code(code)), class, "{code}");
    }
}

#[test]
fn no_error_class_is_both_retryable_and_unknown() {
    let all = [
        ErrorClass::SerializationFailure,
        ErrorClass::Deadlock,
        ErrorClass::LockTimeout,
        ErrorClass::UniqueViolation,
        ErrorClass::ConstraintViolation,
        ErrorClass::Cancelled,
        ErrorClass::ServerLost,
        ErrorClass::NotConnected,
        ErrorClass::Resources,
        ErrorClass::Other,
    ];
    assert!(!all.iter().any(|class| class.is_retryable() && class.leaves_outcome_unknown()));
}

#[test]
fn an_expired_limit_leaves_the_outcome_unknown_unless_it_was_for_connecting() {
    let class = |kind| Error::new("try", kind).class();
    assert_eq!(class(Kind::Timeout { limit_ms: 1 }), ErrorClass::ServerLost);
    assert_eq!(class(Kind::ConnectTimeout { limit_ms: 1 }), ErrorClass::NotConnected);
    assert_eq!(class(Kind::SessionClosed), ErrorClass::NotConnected);
}
