//! One line pointer of a page as a row of SQL: what it is, what its tuple says, who sees it. The rows of `mvcc_page` and
//! `mvcc_show_versions` are the same.

use std::collections::BTreeMap;

use pgstrata_tuple::chain::{Chains, Evidence};
use pgstrata_tuple::visibility::Viewer;
use pgstrata_tuple::{
    CommandField, Fate, HeapPage, ItemPointer, Knowledge, LinePointer, LineState, LockMode, Next, PageError, Status,
    Tuple, TupleHeader, Value, XmaxKind, fate, judge,
};
use pgstrata_units::Xid;

use crate::columns::{Columns, Shown, Source, quoted};
use crate::knowledge::Server;
use crate::limits::Limits;
use crate::rows::Cell;

/// What all rows of one call are made with.
pub struct Lens<'a> {
    /// The table's columns.
    pub columns: &'a Columns,
    /// Numbers of the columns that a row is known by, in the key's order; empty if there is no key.
    pub key: &'a [i16],
    /// What the server knows.
    pub server: &'a Server,
    /// Whose eyes.
    pub viewer: Viewer<'a>,
    /// Where pages come from.
    pub source: Source,
    /// How much may be shown.
    pub limits: Limits,
}

/// A page that was copied, with what its line pointers hang together by.
pub struct PageView {
    /// Its number.
    pub block: u32,
    bytes: Vec<u8>,
    /// `None` for a page that is no heap page.
    chains: Option<Chains>,
    /// Why it is none; nothing for a page that was never filled.
    problem: Option<PageError>,
}

/// What the columns of a tuple are shown as.
struct Values {
    key: Option<String>,
    all: Option<String>,
    problem: Option<String>,
}

impl PageView {
    /// Looks at the bytes of a page.
    pub fn new(block: u32, bytes: Vec<u8>, lens: &Lens<'_>) -> Self {
        let mut view = Self { block, bytes, chains: None, problem: None };
        match HeapPage::parse(&view.bytes) {
            Ok(page) => {
                let mut chains = Chains::of(&page, block, lens.server);
                let keys: BTreeMap<u16, _> =
                    page.tuples().filter_map(|(offset, tuple)| Some((offset, lens.key_of(&tuple)?))).collect();
                chains.infer_parents(&page, lens.server, |offset| keys.get(&offset));
                view.chains = Some(chains);
            }
            Err(PageError::New) => {}
            Err(problem) => view.problem = Some(problem),
        }
        view
    }

    /// The page, if it is one.
    pub fn page(&self) -> Option<HeapPage<'_>> {
        self.chains.as_ref().and_then(|_| HeapPage::parse(&self.bytes).ok())
    }

    /// Why it is no heap page, if it is none.
    pub fn problem(&self) -> Option<&PageError> {
        self.problem.as_ref()
    }

    /// The line pointers that hang together with one: its HOT chain from the root on, branches that were rolled back too.
    pub fn relatives(&self, offset: u16) -> Vec<u16> {
        let Some(chains) = &self.chains else { return Vec::new() };
        let Some(link) = chains.link_of(offset) else { return Vec::new() };
        let Some(root) = link.root else { return chains.from(offset) };
        let all = self.page().map_or(0, |page| page.line_count());
        (1..=all).filter(|other| chains.link_of(*other).is_some_and(|link| link.root == Some(root))).collect()
    }

    /// The redirect that a version's HOT chain begins at, if it begins at one.
    pub fn redirect_to(&self, offset: u16) -> Option<u16> {
        let root = self.chains.as_ref()?.link_of(offset)?.root?;
        let line = self.page()?.line(root)?;
        matches!(line.state, LineState::Redirect(_)).then_some(root)
    }

    /// The row of a line pointer, and the bytes of its values.
    pub fn row(&self, line: LinePointer, lens: &Lens<'_>) -> (Vec<Cell>, usize) {
        let place = ItemPointer { block: self.block, offset: line.offset };
        let tuple = self.page().and_then(|page| page.tuple(line.offset));
        let (tuple, problem) = match tuple {
            Some(Ok(tuple)) => (Some(tuple), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        let mut cells = self.line_cells(line);
        let bytes = if let Some(tuple) = tuple {
            lens.tuple_cells(&tuple, place, &mut cells)
        } else {
            cells.extend((cells.len()..PROBLEM).map(|_| Cell::Null));
            cells.push(problem.into());
            0
        };
        (cells, bytes)
    }

    fn line_cells(&self, line: LinePointer) -> Vec<Cell> {
        let (state, to, bytes) = match line.state {
            LineState::Unused => ("unused", None, None),
            LineState::Normal { bytes, .. } => ("normal", None, Some(bytes)),
            LineState::Redirect(to) => ("redirect", Some(to), None),
            LineState::Dead { bytes, .. } => ("dead", None, Some(bytes).filter(|bytes| *bytes > 0)),
        };
        let chained = self.chains.as_ref().and_then(|chains| chains.link_of(line.offset)).unwrap_or_default();
        vec![
            self.block.into(),
            line.offset.into(),
            state.into(),
            to.into(),
            bytes.into(),
            chained.root.into(),
            chained.parent.map(|parent| parent.offset).into(),
            chained.parent.map(|parent| parent.evidence == Evidence::Inferred).into(),
        ]
    }
}

/// How many columns there are before the last one, `problem`.
const PROBLEM: usize = 26;

impl Lens<'_> {
    /// The cells of a tuple behind those of its line pointer; how many bytes its values have.
    fn tuple_cells(&self, tuple: &Tuple<'_>, place: ItemPointer, cells: &mut Vec<Cell>) -> usize {
        let header = &tuple.header;
        let values = self.values(tuple);
        let bytes = values.all.as_ref().map_or(0, String::len);
        self.header_cells(header, place, cells);
        let judgement = judge(header, place, &self.viewer, self.server);
        cells.extend([
            values.key.map_or(Cell::Null, Cell::Json),
            values.all.map_or(Cell::Null, Cell::Json),
            fate_word(fate(header, place, self.server)).into(),
            judgement.visible.into(),
            judgement.reason.as_str().into(),
            values.problem.into(),
        ]);
        bytes
    }

    fn header_cells(&self, header: &TupleHeader, place: ItemPointer, cells: &mut Vec<Cell>) {
        let kind = header.xmax_kind(place);
        let (command, is_combo) = match header.command_field() {
            CommandField::Id(command) => (Some(command), Some(false)),
            CommandField::Combo(command) => (Some(command), Some(true)),
            CommandField::MovedBy(_) => (None, None),
        };
        let next = match header.next(place) {
            Next::Version(next) => Cell::Tid(next),
            Next::Itself | Next::OtherPartition | Next::Speculative(_) => Cell::Null,
        };
        cells.extend([
            next,
            self.server.full(header.xmin).into(),
            self.maker_status(header).into(),
            self.xmax(header, kind).into(),
            xmax_word(kind).into(),
            xmax_mode(header, kind).map(mode_word).into(),
            self.ender_status(header, kind).into(),
            command.into(),
            is_combo.into(),
            self.members(header, kind).map_or(Cell::Null, Cell::Json),
            Cell::Texts(header.flags().collect()),
            header.is_hot_updated().into(),
            header.is_heap_only().into(),
        ]);
    }

    fn maker_status(&self, header: &TupleHeader) -> &'static str {
        if header.is_frozen() || header.is_xmin_committed() {
            return status_word(Status::Committed);
        }
        if header.is_xmin_invalid() {
            return status_word(Status::Aborted);
        }
        status_word(self.server.full(header.xmin).map_or(Status::Unknown, |xid| self.server.status(xid)))
    }

    /// `xmax` as a whole id: a transaction's, or a multixact's, which has no epoch.
    fn xmax(&self, header: &TupleHeader, kind: XmaxKind) -> Option<Xid> {
        match kind {
            XmaxKind::None => None,
            XmaxKind::MultiLock | XmaxKind::MultiChange => Some(Xid(header.xmax.into())),
            XmaxKind::Lock(_) | XmaxKind::Update | XmaxKind::Delete => self.server.full(header.xmax),
        }
    }

    /// How the transaction in `xmax` stands; of several, the one that changed the row.
    fn ender_status(&self, header: &TupleHeader, kind: XmaxKind) -> Option<&'static str> {
        let xid = match kind {
            XmaxKind::None | XmaxKind::MultiLock => return None,
            XmaxKind::MultiChange => {
                let members = self.server.members(header.xmax);
                members.and_then(|members| members.iter().find(|member| member.is_change).map(|member| member.xid))
            }
            XmaxKind::Lock(_) | XmaxKind::Update | XmaxKind::Delete => self.server.full(header.xmax),
        };
        Some(status_word(xid.map_or(Status::Unknown, |xid| self.server.status(xid))))
    }

    fn members(&self, header: &TupleHeader, kind: XmaxKind) -> Option<String> {
        if !matches!(kind, XmaxKind::MultiLock | XmaxKind::MultiChange) {
            return None;
        }
        let members = self.server.members(header.xmax)?;
        let objects = members.iter().map(|member| {
            format!(
                "{{\"xid\": {}, \"mode\": \"{}\", \"is_change\": {}, \"status\": \"{}\"}}",
                member.xid,
                mode_word(member.mode),
                member.is_change,
                status_word(self.server.status(member.xid))
            )
        });
        Some(format!("[{}]", objects.collect::<Vec<_>>().join(", ")))
    }

    fn values(&self, tuple: &Tuple<'_>) -> Values {
        let values = match self.columns.values(tuple) {
            Ok(values) => values,
            Err(problem) => return Values { key: None, all: None, problem: Some(problem) },
        };
        let shown = self.columns.show(&values, self.source, self.limits.value_bytes);
        let of_key = |number: &i16| {
            let (column, shown) = shown.iter().find(|(column, _)| column.number == *number)?;
            Some(member(&column.name, shown))
        };
        let key: Option<Vec<_>> = self.key.iter().map(of_key).collect();
        Values {
            key: key.filter(|key| !key.is_empty()).map(|key| object(&key)),
            all: Some(object(&shown.iter().map(|(column, shown)| member(&column.name, shown)).collect::<Vec<_>>())),
            problem: None,
        }
    }

    /// The bytes of the key's columns, to tell rows of one page apart; `None` if there is no key, or it is not all there.
    fn key_of(&self, tuple: &Tuple<'_>) -> Option<Vec<Vec<u8>>> {
        use pgstrata_tuple::Varlena;
        if self.key.is_empty() {
            return None;
        }
        let values = self.columns.values(tuple).ok()?;
        let of_column = |number: &i16| match values.get(usize::try_from(*number - 1).ok()?)? {
            Value::Fixed(bytes) | Value::Varlena(Varlena::Plain(bytes) | Varlena::Compressed(bytes)) => {
                Some(bytes.to_vec())
            }
            Value::Null | Value::NotStored | Value::Varlena(Varlena::External(_)) => None,
        };
        self.key.iter().map(of_column).collect()
    }
}

fn member(name: &str, shown: &Shown) -> String {
    format!("{}: {}", quoted(name), shown.json())
}

fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(", "))
}

/// A status as SQL has it.
pub const fn status_word(status: Status) -> &'static str {
    match status {
        Status::InProgress => "in-progress",
        Status::Prepared => "prepared",
        Status::Committed => "committed",
        Status::Aborted => "aborted",
        Status::Unknown => "unknown",
    }
}

const fn xmax_word(kind: XmaxKind) -> &'static str {
    match kind {
        XmaxKind::None => "none",
        XmaxKind::Lock(_) => "lock",
        XmaxKind::Update => "update",
        XmaxKind::Delete => "delete",
        XmaxKind::MultiLock | XmaxKind::MultiChange => "multi",
    }
}

/// How the one transaction in `xmax` holds the row; that of several is told with the members.
const fn xmax_mode(header: &TupleHeader, kind: XmaxKind) -> Option<LockMode> {
    match kind {
        XmaxKind::None | XmaxKind::MultiLock | XmaxKind::MultiChange => None,
        XmaxKind::Lock(mode) => mode,
        XmaxKind::Update | XmaxKind::Delete if header.is_key_changed() => Some(LockMode::Update),
        XmaxKind::Update | XmaxKind::Delete => Some(LockMode::NoKeyUpdate),
    }
}

const fn mode_word(mode: LockMode) -> &'static str {
    match mode {
        LockMode::KeyShare => "key-share",
        LockMode::Share => "share",
        LockMode::NoKeyUpdate => "no-key-update",
        LockMode::Update => "update",
    }
}

const fn fate_word(fate: Fate) -> &'static str {
    match fate {
        // Who would end it has not yet.
        Fate::Live | Fate::Ending(_) => "live",
        Fate::Pending => "pending",
        Fate::Aborted => "aborted",
        Fate::Replaced(_) => "replaced",
        Fate::Deleted(_) => "deleted",
        Fate::Unknown => "unknown",
    }
}
