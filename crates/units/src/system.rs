//! The 23 systems of the product: their ids, modules and titles.
//!
//! This is the one list that code, folders and book pages are compared with. It does not know what a system
//! does or whether it is built yet.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Text;

/// The number of systems that the plan names.
pub const SYSTEM_COUNT: usize = SYSTEMS.len();

/// The three modules of the plan, each a folder at the top of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Module {
    /// Module 09: an industry case.
    Case,
    /// Module 10: a research topic.
    Research,
    /// Module 11: a tool.
    Tool,
}

impl Module {
    /// All modules, in the order of the plan.
    pub const ALL: [Self; 3] = [Self::Case, Self::Research, Self::Tool];

    /// The plan's number of the module: 9, 10 or 11.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Case => 9,
            Self::Research => 10,
            Self::Tool => 11,
        }
    }

    /// The module's title.
    #[must_use]
    pub const fn title(self) -> Text {
        match self {
            Self::Case => Text { en: "industry cases", zh: "工业案例库" },
            Self::Research => Text { en: "research topics", zh: "前沿研究方向" },
            Self::Tool => Text { en: "tools", zh: "工具与自动化" },
        }
    }
}

/// What the list says about one system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct System {
    /// The id in its text form, such as `09-01`.
    pub id: &'static str,
    /// The module the system belongs to.
    pub module: Module,
    /// The system's title.
    pub title: Text,
}

/// The id of one of the 23 systems, such as `09-01`; no other id can be made.
///
/// Ids are ordered as in the plan. In JSON an id is its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemId(u8);

impl SystemId {
    /// The id whose text form is `text`.
    ///
    /// # Errors
    /// [`UnknownSystem`] if the plan has no such system.
    pub fn new(text: &str) -> Result<Self, UnknownSystem> {
        Self::find(text).ok_or_else(|| UnknownSystem(text.to_owned()))
    }

    /// The id whose text form is `text`, for constants: `const ID: SystemId = SystemId::known("09-01");`
    ///
    /// # Panics
    /// If the plan has no such system; in a constant this is an error of the compiler.
    #[must_use]
    pub const fn known(text: &str) -> Self {
        match Self::find(text) {
            Some(id) => id,
            None => panic!("the plan has no system with this id"),
        }
    }

    /// All ids, in the order of the plan.
    #[must_use]
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        SYSTEMS.iter().map(|system| Self::known(system.id))
    }

    /// What the list says about the system.
    #[must_use]
    pub const fn system(self) -> System {
        SYSTEMS[self.0 as usize]
    }

    /// The text form, such as `09-01`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.system().id
    }

    /// The module the system belongs to.
    #[must_use]
    pub const fn module(self) -> Module {
        self.system().module
    }

    /// The system's title.
    #[must_use]
    pub const fn title(self) -> Text {
        self.system().title
    }

    /// A search by hand, because neither iterators nor comparison of strings work in constants yet.
    const fn find(text: &str) -> Option<Self> {
        let mut index: u8 = 0;
        while (index as usize) < SYSTEMS.len() {
            if equal(SYSTEMS[index as usize].id.as_bytes(), text.as_bytes()) {
                return Some(Self(index));
            }
            index += 1;
        }
        None
    }
}

/// Whether two byte strings are the same.
const fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

impl fmt::Display for SystemId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for SystemId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SystemId({})", self.as_str())
    }
}

/// An id that the plan does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown system {0:?}, expected an id such as 09-01")]
pub struct UnknownSystem(pub String);

impl FromStr for SystemId {
    type Err = UnknownSystem;

    fn from_str(text: &str) -> Result<Self, UnknownSystem> {
        Self::new(text)
    }
}

impl Serialize for SystemId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SystemId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// One line of the list.
const fn system(id: &'static str, module: Module, en: &'static str, zh: &'static str) -> System {
    System { id, module, title: Text { en, zh } }
}

/// The plan, in its order; the Chinese titles are the plan's own.
const SYSTEMS: [System; 23] = [
    system("09-01", Module::Case, "flash sale", "电商秒杀系统"),
    system("09-02", Module::Case, "financial ledger", "金融交易系统"),
    system("09-03", Module::Case, "social network", "社交网络系统"),
    system("09-04", Module::Case, "real-time analytics", "实时分析系统"),
    system("09-05", Module::Case, "IoT time series", "IoT时序数据"),
    system("09-06", Module::Case, "multi-tenant SaaS", "多租户SaaS"),
    system("09-07", Module::Case, "distributed cache", "分布式缓存"),
    system("09-08", Module::Case, "knowledge graph", "知识图谱"),
    system("09-09", Module::Case, "blockchain storage", "区块链存储"),
    system("09-10", Module::Case, "AI training data", "AI训练数据管理"),
    system("10-01", Module::Research, "learned query optimization", "AI驱动查询优化"),
    system("10-02", Module::Research, "automatic tuning", "自动调优系统"),
    system("10-03", Module::Research, "smart VACUUM scheduling", "智能VACUUM调度"),
    system("10-04", Module::Research, "distributed deadlock prediction", "分布式死锁预测"),
    system("10-05", Module::Research, "quantum database theory", "量子数据库理论"),
    system("10-06", Module::Research, "persistent memory", "PMEM持久内存理论"),
    system("10-07", Module::Research, "serverless", "Serverless数据库架构"),
    system("10-08", Module::Research, "edge", "边缘计算场景"),
    system("11-01", Module::Tool, "concurrency-control decision assistant", "并发控制决策助手"),
    system("11-02", Module::Tool, "MVCC visual debugger", "MVCC可视化调试器"),
    system("11-03", Module::Tool, "performance predictor", "性能预测器"),
    system("11-04", Module::Tool, "index recommender", "自动索引推荐器"),
    system("11-05", Module::Tool, "capacity planner", "容量规划工具"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FLASH_SALE: SystemId = SystemId::known("09-01");

    #[test]
    fn an_id_can_be_a_constant() {
        assert_eq!(FLASH_SALE.to_string(), "09-01");
        assert_eq!(FLASH_SALE.module(), Module::Case);
        assert_eq!(FLASH_SALE.title(), Text { en: "flash sale", zh: "电商秒杀系统" });
        assert_eq!(SystemId::new("09-01"), Ok(FLASH_SALE));
    }

    #[test]
    fn there_are_ten_cases_eight_topics_and_five_tools() {
        let count = |module| SystemId::all().filter(|id| id.module() == module).count();
        assert_eq!(Module::ALL.map(count), [10, 8, 5]);
        assert_eq!(SystemId::all().len(), SYSTEM_COUNT);
    }

    #[test]
    fn ids_are_in_order_and_numbered_within_their_module() {
        assert!(SystemId::all().is_sorted());
        assert!(SYSTEMS.is_sorted_by_key(|system| system.id));
        for module in Module::ALL {
            for (index, id) in SystemId::all().filter(|id| id.module() == module).enumerate() {
                assert_eq!(id.as_str(), format!("{:02}-{:02}", module.number(), index + 1));
            }
        }
    }

    #[test]
    fn every_title_is_there_in_both_languages() {
        let titles = SystemId::all().map(SystemId::title).chain(Module::ALL.map(Module::title));
        assert!(titles.into_iter().all(|title| !title.en.is_empty() && !title.zh.is_empty()));
    }

    #[test]
    fn every_id_reads_back_from_its_text_and_from_its_json() {
        for id in SystemId::all() {
            assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).expect("an id can be written");
            assert_eq!(json, format!("\"{id}\""));
            assert_eq!(serde_json::from_str::<SystemId>(&json).expect("what was written can be read"), id);
        }
    }

    #[test]
    fn json_with_an_id_that_the_plan_does_not_have_is_refused() {
        let error = serde_json::from_str::<SystemId>("\"09-11\"").expect_err("there is no 09-11");
        assert!(error.to_string().contains("unknown system \"09-11\""), "{error}");
    }

    proptest! {
        #[test]
        fn only_ids_of_the_plan_are_accepted(text in "[01][0-9]-[0-9]{1,3}|\\PC{0,8}") {
            let listed = SYSTEMS.iter().any(|system| system.id == text);
            prop_assert_eq!(SystemId::new(&text).is_ok(), listed);
        }
    }
}
