//! The answers of a requirement that are chosen from a list, each with its name and meaning in both languages.

use pgstrata_units::Text;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares a list of choices: the variant, its name in JSON, and what people read.
macro_rules! choices {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $key:literal $en:literal / $zh:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All choices, as JSON names them, in the order in which they are shown.
            pub const OPTIONS: &'static [(&'static str, Text)] = &[$(($key, Text { en: $en, zh: $zh }),)+];

            /// What people read.
            #[must_use]
            pub const fn text(self) -> Text {
                match self { $(Self::$variant => Text { en: $en, zh: $zh },)+ }
            }

            /// The name in JSON.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)+ }
            }
        }
    };
}

choices! {
    /// Kinds of facts that must stay true whatever transactions run at the same time.
    Invariant {
        /// A stock in one row does not fall below zero.
        NoOversell "no_oversell" "never sell more than there is (a stock in one row)" / "绝不超卖（库存在一行里）",
        /// A balance in one row keeps its floor.
        BalanceFloor "balance_floor" "a balance in one row stays at or above its floor" / "单行余额不低于下限",
        /// The sum of several rows keeps its floor.
        SumFloor "sum_floor" "several rows together stay at or above a floor (checking + savings)" / "多行之和不低于下限（活期+储蓄）",
        /// At least so many rows satisfy a condition.
        AtLeast "at_least" "at least N rows satisfy a condition (a doctor is on call)" / "至少有 N 行满足条件（总有医生值班）",
        /// At most so many rows in a group.
        LimitPerGroup "limit_per_group" "at most N rows in a group (places in a course, a quota)" / "每组至多 N 行（课程名额、配额）",
        /// What leaves one row arrives in another.
        SumConstant "sum_constant" "a total stays the same (transfers)" / "总额保持不变（转账）",
        /// A value occurs once.
        UniqueValue "unique_value" "a value occurs only once (name, e-mail, order number)" / "某个值只出现一次（用户名、邮箱、订单号）",
        /// Intervals of one resource do not overlap.
        NoOverlap "no_overlap" "intervals do not overlap (no double booking)" / "时间段互不重叠（不重复预订）",
        /// Numbers without holes.
        GaplessSequence "gapless_sequence" "numbers follow each other without gaps (invoices)" / "编号连续无空号（发票）",
        /// A request that is repeated has one effect.
        AtMostOnce "at_most_once" "a repeated request has its effect only once" / "重复的请求只生效一次",
        /// A job is taken by one worker.
        TakenOnce "taken_once" "a job is taken by one worker only" / "一个任务只被一个工作者取走",
        /// A counter misses no increment.
        ExactCounter "exact_counter" "a counter loses no increment (likes, views)" / "计数不丢失任何一次累加（点赞、浏览）",
        /// A reader of several rows sees one moment.
        ConsistentRead "consistent_read" "a reader of several rows sees one moment" / "读取多行时看到的是同一时刻",
        /// A row never points to nothing.
        ReferenceExists "reference_exists" "a row never points to one that is gone" / "引用的行始终存在",
    }
}

choices! {
    /// Over how many servers the data is spread.
    Distribution {
        /// One server takes reads and writes.
        OneServer "one_server" "one server" / "一台服务器",
        /// One server takes writes, copies of it answer reads.
        ReadReplicas "read_replicas" "one server for writes, replicas for reads" / "一主写入，副本读取",
        /// Several servers, each with a part of the rows.
        Sharded "sharded" "several servers, each with a part of the rows" / "多台服务器，各存一部分行",
        /// Several servers take writes of the same rows.
        MultiWriter "multi_writer" "several servers take writes of the same rows" / "多台服务器同时写相同的行",
    }
}

choices! {
    /// What must go on when servers fail or cannot reach each other.
    Availability {
        /// A failed server may be down until it is back.
        Restart "restart" "a failed server may be down until it is back" / "服务器故障时可以停到它恢复",
        /// Another server takes over within seconds to minutes.
        Failover "failover" "another server takes over within a minute" / "另一台服务器在一分钟内接管",
        /// Every part takes writes, also while it cannot reach the others.
        AlwaysWritable "always_writable" "writes go on even while servers cannot reach each other" / "即使服务器互相不可达也要能写",
    }
}

choices! {
    /// What stands between the application and the server.
    Pooling {
        /// A session belongs to one client at a time.
        Session "session" "connections of one's own, or a pool by session" / "独占连接，或会话级连接池",
        /// Two transactions of one client may run in different sessions.
        Transaction "transaction" "a pool by transaction (pgbouncer, serverless)" / "事务级连接池（pgbouncer、无服务器）",
    }
}

choices! {
    /// Whether work must be done in the order of its arrival.
    Ordering {
        /// Any order.
        None "none" "no order" / "不要求顺序",
        /// In order for each key.
        PerKey "per_key" "in order for each key (account, customer)" / "每个键内有序（账户、客户）",
        /// One order over all.
        Total "total" "one order over everything" / "全局一个顺序",
    }
}

choices! {
    /// What of the past must be provable.
    Audit {
        /// Nothing.
        None "none" "nothing" / "无",
        /// Every change can be listed.
        History "history" "every change can be listed" / "每次变更都可列出",
        /// Nobody can change the past unnoticed, not even an administrator.
        TamperEvident "tamper_evident" "nobody can change the past unnoticed" / "任何人都无法不留痕迹地改动历史",
    }
}

choices! {
    /// Whose data lies together.
    Tenancy {
        /// One owner.
        One "one" "one owner of all data" / "数据只属于一方",
        /// Tenants share tables.
        SharedTables "shared_tables" "tenants share tables" / "租户共用表",
        /// Each tenant has tables or a database of its own.
        Apart "apart" "each tenant has tables or a database of its own" / "每个租户有自己的表或库",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_choices_are_those_of_their_json() {
        for (key, text) in Invariant::OPTIONS {
            let read: Invariant = serde_json::from_value((*key).into()).expect(key);
            assert_eq!((read.key(), read.text()), (*key, *text));
        }
        assert_eq!(serde_json::to_value(Distribution::MultiWriter).expect("written"), "multi_writer");
        assert_eq!(serde_json::to_value(Audit::TamperEvident).expect("written"), Audit::TamperEvident.key());
    }
}
