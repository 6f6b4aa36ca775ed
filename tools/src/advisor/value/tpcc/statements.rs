//! The statements of the five programs, prepared once for each session.

use pgstrata_lab::observe::Observer;
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Error, Session};

use crate::advisor::value::texts;

/// Every statement by its file's name.
macro_rules! statements {
    ($($name:ident),* $(,)?) => {
        /// The statements of a session; each is the file of its name.
        pub(super) struct Statements {
            $(pub(super) $name: Statement,)*
        }

        impl Statements {
            pub(super) async fn prepare(session: &Session, observer: &Observer) -> Result<Self, Error> {
                let prepare = async |texts: (&str, &str)| session.prepare(observer.choose(texts.0, texts.1)).await;
                Ok(Self { $($name: prepare(texts!($name)).await?,)* })
            }
        }

        /// The files, as arms show them.
        pub(super) const FILES: &[(&str, &str)] = &[
            $((concat!(stringify!($name), ".sql"), texts!($name).0),)*
            ("answers/find.sql", crate::advisor::value::answers::FIND),
            ("answers/keep.sql", crate::advisor::value::answers::KEEP),
        ];
    };
}

statements! {
    lock_district,
    promote_district,
    share_district,
    new_order_warehouse,
    new_order_district,
    new_order_customer,
    new_order_order,
    new_order_waiting,
    new_order_item,
    new_order_stock,
    new_order_line,
    payment_warehouse,
    payment_district,
    payment_customer,
    payment_history,
    order_status_customer,
    order_status_order,
    order_status_lines,
    delivery_oldest,
    delivery_taken,
    delivery_order,
    delivery_lines,
    delivery_customer,
    stock_level_district,
    stock_level_low,
}
