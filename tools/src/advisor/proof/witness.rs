//! A witness on the server: the anomaly, and that it is gone with each fix.

use std::collections::BTreeMap;

use pgstrata_pg::simple::Reply;
use pgstrata_scenario::interleave::{Event, Retries};
use pgstrata_scenario::session::Seat;
use pgstrata_sqltext::{Program, Rows, Schema, Workload};

use super::Claim;
use super::arena::Arena;
use super::bind::{bounds, compared};
use super::companions::{companions, original};
use super::draws::Draws;
use super::error::ProofError;
use super::outcome::{Fix, Outcome, Play, ProofEvent, Replayed, ShownBy, WitnessProof, WitnessVerdict};
use super::script::{
    Agreed, Begin, Cast, Changes, FOLLOWED, Script, Setting, WAYS, of_instance, set_to, settled, spec,
};
use super::seeds::{self, Wanted};
use crate::advisor::robustness::Alternatives;
use crate::advisor::{Allocation, PromotedAllocation, Report, SeedRow, StepKind, Witness};

/// How many kinds of rows and values are tried before a witness is called not reproduced.
pub const ATTEMPTS_MAX: u32 = 90;

/// In these attempts only rows are there that the cycle goes through: a row that a program merely looks for may stand in the
/// way of one that is computed.
const FEW_ROWS: std::ops::Range<u32> = 12..18;

/// From this attempt on numbers that conditions look at are next to those that they are compared with, so that what is
/// written in between takes a row from one side to the other.
const EDGES_FROM: u32 = 18;

/// From this attempt on what is written where a witness leaves it open is what others look for, too: what they ask a column to
/// equal, or a number next to one that they compare it with.
const SOUGHT_FROM: u32 = 24;

/// From this attempt on what conditions look at is drawn by lot: see [`super::draws`].
const LOTS_FROM: u32 = 30;

/// Every so many lots only rows are there that the cycle goes through.
const FEW_LOTS_EVERY: u32 = 4;

/// A number of what is compared with something that an earlier statement finds.
const FOUND_NEAR: i64 = 50;

/// Every so many attempts only rows are there that the witness names.
const NAMED_EVERY: u32 = 3;

/// How many other witnesses are played in the place of one that does not show.
pub const OTHERS_MAX: usize = 6;

/// The kinds of rows and values of each of them, and how many lots.
const ATTEMPTS_OTHER: [u32; 9] = [0, 1, 2, 3, 4, 5, EDGES_FROM, EDGES_FROM + 1, SOUGHT_FROM];
const LOTS_OTHER: u32 = 12;

/// Rows of an answer that an event shows.
const ROWS_MAX: usize = 20;

/// Where events go.
pub(super) type Listener<'a> = &'a mut (dyn FnMut(ProofEvent) + Send);

/// What a witness is played with.
pub(super) struct Stand<'a> {
    pub arena: &'a mut Arena,
    pub schema: &'a Schema,
    pub workload: &'a Workload,
    /// Rows of the user, as SQL.
    pub seeds: &'a str,
}

impl<'a> Stand<'a> {
    pub(super) fn new(arena: &'a mut Arena, schema: &'a Schema, workload: &'a Workload, seeds: &'a str) -> Self {
        Self { arena, schema, workload, seeds }
    }

    /// Other witnesses for a claim.
    fn others(&self, claim: &Claim<'_>) -> Vec<Witness> {
        let mut others = Alternatives::of(self.workload, self.schema).against(&claim.levels, OTHERS_MAX + 1);
        others.retain(|other| other != claim.witness);
        others.truncate(OTHERS_MAX);
        others
    }
}

/// Replays the witness of a claim until it shows, else others for it, and then plays what showed with each fix that the
/// report has for it.
pub(super) async fn prove(
    stand: &mut Stand<'_>,
    number: usize,
    claim: &Claim<'_>,
    report: &Report,
    on: Listener<'_>,
) -> Result<WitnessProof, ProofError> {
    let mut proof = WitnessProof {
        witness: claim.witness.clone(),
        is_another: false,
        before: None,
        attempts: 0,
        fixes: Vec::new(),
        verdict: WitnessVerdict::NotReproduced { why: String::new() },
    };
    if let Some(why) = obstacle(stand.workload, claim.witness) {
        proof.verdict = WitnessVerdict::NotReproduced { why };
        return Ok(proof);
    }
    let mut others = None;
    for by in [ShownBy::Outcome, ShownBy::DependencyCycle] {
        stand.arena.show(by).await?;
        let play = Play::Witness { witness: number, by };
        if attempt(stand, claim.witness, play.clone(), 0..ATTEMPTS_MAX, report, &mut proof, on).await? {
            break;
        }
        let others = others.get_or_insert_with(|| stand.others(claim));
        let mut is_shown = false;
        for other in others.iter() {
            let variants = ATTEMPTS_OTHER.into_iter().chain(LOTS_FROM..LOTS_FROM + LOTS_OTHER);
            if attempt(stand, other, play.clone(), variants, report, &mut proof, on).await? {
                is_shown = true;
                break;
            }
        }
        if is_shown {
            break;
        }
    }
    stand.arena.show(ShownBy::Outcome).await?;
    Ok(proof)
}

/// Plays a witness with several rows and values; whether it showed. Then it is the proof's.
async fn attempt(
    stand: &mut Stand<'_>,
    witness: &Witness,
    play: Play,
    variants: impl IntoIterator<Item = u32>,
    report: &Report,
    proof: &mut WitnessProof,
    on: Listener<'_>,
) -> Result<bool, ProofError> {
    let Play::Witness { witness: number, by } = play else { return Ok(false) };
    let is_another = *witness != proof.witness;
    for variant in variants {
        let replay = Replay { witness, levels: None, changes: Changes::new(), retries: Retries::None, variant };
        proof.attempts += 1;
        let replayed = replay.play(stand, play.clone(), on).await?;
        if let Ok(shown) = &replayed
            && shown.outcome.is_anomaly()
        {
            proof.before = Some(shown.clone());
            proof.verdict = WitnessVerdict::Reproduced { by };
            proof.fixes = fixes(stand, number, witness, report, variant, on).await?;
            proof.witness = witness.clone();
            proof.is_another = is_another;
            return Ok(true);
        }
        // What is said of it is why it does not show in values.
        if is_another || by != ShownBy::Outcome || FEW_ROWS.contains(&variant) || variant >= LOTS_FROM {
            continue;
        }
        // Of several attempts the one that came furthest says why.
        let committed = |replayed: &Replayed| replayed.committed.len();
        let before = proof.before.as_ref().map(committed);
        match replayed {
            Ok(replayed) if before.is_none_or(|before| committed(&replayed) >= before) => {
                proof.verdict = WitnessVerdict::NotReproduced { why: why_not(&replayed) };
                proof.before = Some(replayed);
            }
            Err(why) if before.is_none() => proof.verdict = WitnessVerdict::NotReproduced { why },
            _ => {}
        }
    }
    Ok(false)
}

/// What keeps a witness from being played at all.
fn obstacle(workload: &Workload, witness: &Witness) -> Option<String> {
    for instance in &witness.instances {
        let program = workload.programs.iter().find(|program| program.name == instance.program)?;
        if let Some(unanalysed) = program.unanalysed().next() {
            return Some(format!("{} is not run, as not all of it is understood: {}", program.name, unanalysed.why));
        }
    }
    None
}

fn why_not(replayed: &Replayed) -> String {
    match &replayed.outcome {
        Outcome::Undecided { because } => because.clone(),
        _ if !replayed.failures.is_empty() => {
            let failures: Vec<String> =
                replayed.failures.iter().map(|(name, sqlstate)| format!("{name} failed with {sqlstate}")).collect();
            failures.join(", ")
        }
        Outcome::Serial { order } => format!("the outcome is that of {} one after the other", order.join(", ")),
        Outcome::Anomaly { .. } => String::new(),
    }
}

async fn fixes(
    stand: &mut Stand<'_>,
    number: usize,
    witness: &Witness,
    report: &Report,
    variant: u32,
    on: Listener<'_>,
) -> Result<Vec<(Fix, Replayed)>, ProofError> {
    let mut wanted = vec![(Fix::Levels { allocation: report.optimal.clone() }, &report.optimal, Changes::new())];
    for promoted in &report.with_promotion {
        let fix = Fix::Promotion { promotions: promoted.promotions.clone(), allocation: promoted.allocation.clone() };
        wanted.push((fix, &promoted.allocation, changes(promoted)));
    }
    let mut fixes = Vec::new();
    for (fix, levels, changes) in wanted {
        let replay = Replay { witness, levels: Some(levels), changes, retries: Retries::Once, variant };
        let play = Play::Fixed { witness: number, fix: fix.clone() };
        match replay.play(stand, play, on).await? {
            Ok(replayed) => fixes.push((fix, replayed)),
            Err(because) => {
                let outcome = Outcome::Undecided { because };
                let none = Vec::new;
                fixes.push((
                    fix,
                    Replayed { outcome, committed: none(), waited: none(), failures: Vec::new(), retried: none() },
                ));
            }
        }
    }
    Ok(fixes)
}

/// The statements of a promotion.
pub(super) fn changes(promoted: &PromotedAllocation) -> Changes {
    let changed = promoted.changed.iter();
    changed.map(|changed| ((changed.program.clone(), changed.statement), changed.after.clone())).collect()
}

/// One way to play a witness.
pub(super) struct Replay<'a> {
    pub witness: &'a Witness,
    /// Other levels than the witness's own.
    pub levels: Option<&'a Allocation>,
    pub changes: Changes,
    pub retries: Retries,
    /// Which rows and values.
    pub variant: u32,
}

impl Replay<'_> {
    /// Plays it; the reason when it cannot be.
    pub(super) async fn play(
        &self,
        stand: &mut Stand<'_>,
        play: Play,
        on: Listener<'_>,
    ) -> Result<Result<Replayed, String>, ProofError> {
        let programs = &stand.workload.programs;
        // At the edges of conditions the rest is as the witness says.
        let mut draws = self.is_by_lot().then(|| Draws::of(self.witness, programs, stand.schema, self.variant));
        let agreed = self.agreed(programs, stand.schema, draws.as_mut());
        let mut casts = Vec::new();
        for (number, instance) in self.witness.instances.iter().enumerate() {
            let Some(mut cast) = Cast::of(instance, programs, number, self.variant, &agreed) else {
                return Ok(Err(format!("there is no program {}", instance.program)));
            };
            cast.level = self.levels.map_or(cast.level, |levels| levels.level(&instance.program));
            casts.push(cast);
        }
        let set_up = match self.set_up(stand, &casts, &agreed, draws).await? {
            Ok(set_up) => set_up,
            Err(why) => return Ok(Err(why)),
        };
        let (scratch, schema, changes) = (&stand.arena.scratch, stand.schema, &self.changes);
        let setting = Setting { scratch, schema, changes, begin: Begin::Apart };
        let scripts: Result<Vec<Script>, _> = casts.iter().map(|cast| cast.script(setting)).collect();
        let scripts = scripts?;
        let turns = turns(self.witness, &scripts);
        let sessions = scripts.iter().map(|script| script.player.clone()).collect();
        on(ProofEvent::Began { play, sessions, seeds: set_up.clone() });
        let spec = spec(&scripts, &set_up);
        let mut table = stand.arena.seat(&spec, &settled(&scripts)).await?;
        let judged = table.play(&turns, self.retries, &mut |event| tell(&event, &scripts, on)).await?;
        stand.arena.rise(table);
        let outcome = judged.outcome.plainly(&scripts);
        let name = |seat: Seat| spec.sessions[seat.0].name.clone();
        let interleaved = judged.interleaved;
        let replayed = Replayed {
            outcome: outcome.clone(),
            committed: interleaved.committed.iter().map(|seat| name(*seat)).collect(),
            waited: interleaved.waited.iter().map(|step| name(step.session)).collect(),
            failures: interleaved
                .failures
                .iter()
                .map(|failure| (name(failure.step.session), failure.error.sqlstate.clone()))
                .collect(),
            retried: interleaved
                .failures
                .iter()
                .filter(|failure| failure.retried)
                .map(|failure| name(failure.step.session))
                .collect(),
        };
        on(ProofEvent::Compared { outcome });
        Ok(Ok(replayed))
    }

    fn is_by_lot(&self) -> bool {
        self.variant >= LOTS_FROM
    }

    /// What transactions and rows agree in.
    fn agreed(&self, programs: &[Program], schema: &Schema, draws: Option<&mut Draws>) -> Agreed {
        if let Some(draws) = draws {
            return Agreed { arguments: draws.arguments(self.witness, programs), ..Agreed::default() };
        }
        // At the edges of conditions the rest is as the witness says.
        let way = match self.variant {
            ..EDGES_FROM => self.variant % WAYS,
            EDGES_FROM..SOUGHT_FROM => 0,
            SOUGHT_FROM.. => FOLLOWED,
        };
        let mut agreed = Agreed::of(self.witness, programs, schema, way);
        if self.variant >= SOUGHT_FROM {
            agreed.arguments.extend(self.sought(programs));
        }
        agreed
    }

    /// What makes the tables hold the rows that the witness needs, as SQL; the reason when they cannot.
    async fn set_up(
        &self,
        stand: &Stand<'_>,
        casts: &[Cast<'_>],
        agreed: &Agreed,
        draws: Option<Draws>,
    ) -> Result<Result<String, String>, ProofError> {
        let is_few_by_lot = self.is_by_lot() && self.variant.is_multiple_of(FEW_LOTS_EVERY);
        let has_few = FEW_ROWS.contains(&self.variant) || is_few_by_lot;
        let is_in_cycle = |row: &&SeedRow| self.witness.cycle.iter().any(|link| link.relation == row.relation);
        let rows = self.witness.rows.iter().filter(|row| row.present && (!has_few || is_in_cycle(row)));
        let mut wanted: Vec<Wanted> =
            rows.map(|row| Wanted { relation: row.relation.clone(), values: row.values.clone() }).collect();
        if !has_few && self.variant % NAMED_EVERY != NAMED_EVERY - 1 {
            wanted.extend(companions(casts, &wanted, stand.schema));
        }
        let edges = if self.is_by_lot() { BTreeMap::new() } else { self.edges(casts) };
        if let Some(mut draws) = draws {
            draws.fill(&mut wanted);
        }
        let filling = seeds::Filling {
            variant: self.variant,
            rows: seeds::Rows::Needed,
            agreed,
            edges: &edges,
            extra: stand.seeds,
        };
        seeds::plan(stand.arena, stand.schema, &wanted, &filling).await
    }

    /// Arguments that the witness leaves open and that columns are set to which others compare with numbers: one of the
    /// numbers next to those, another one for each transaction. By the number of the instance and the parameter.
    fn sought(&self, programs: &[Program]) -> BTreeMap<(usize, String), String> {
        let way = self.variant.saturating_sub(SOUGHT_FROM) as usize;
        let program = |instance| of_instance(instance, programs);
        let near = near_bounds(self.witness.instances.iter().filter_map(program));
        let mut sought = BTreeMap::new();
        for (number, instance) in self.witness.instances.iter().enumerate() {
            let Some(program) = program(instance) else { continue };
            for (column, numbers) in &near {
                let chosen = numbers[(way + number) % numbers.len()].to_string();
                let open = set_to(program, column).into_iter().filter(|name| !instance.arguments.contains_key(name));
                sought.extend(open.map(|parameter| ((number, parameter), chosen.clone())));
            }
        }
        sought
    }

    /// By column: a number at the edge of what a condition asks of it, or next to it.
    fn edges(&self, casts: &[Cast<'_>]) -> BTreeMap<String, String> {
        let Some(way) = self.variant.checked_sub(EDGES_FROM) else { return BTreeMap::new() };
        let edges = near_bounds(casts.iter().map(|cast| cast.program));
        let way = way as usize;
        let chosen = |numbers: &[i64], shift: usize| numbers[(way + shift) % numbers.len()].to_string();
        // One column on one side, the next on the other, as what is written depends on both.
        let shifted = |(number, (column, numbers)): (usize, (String, Vec<i64>))| {
            let value = chosen(&numbers, number * (1 + way / numbers.len().max(1)));
            (column, value)
        };
        let mut edges: BTreeMap<String, String> = edges.into_iter().enumerate().map(shifted).collect();
        // What is compared with something found is next to it.
        for (column, found) in casts.iter().flat_map(|cast| compared_with_found(cast.program)) {
            edges.insert(column, FOUND_NEAR.to_string());
            edges.insert(found, chosen(&[FOUND_NEAR + 1, FOUND_NEAR, FOUND_NEAR - 1], 0));
        }
        edges
    }
}

/// By column: the numbers that programs compare it with otherwise than by `=`, and those next to them.
fn near_bounds<'p>(programs: impl Iterator<Item = &'p Program>) -> BTreeMap<String, Vec<i64>> {
    let mut near: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (column, number) in programs.flat_map(|program| &program.statements).flat_map(|one| bounds(&one.text)) {
        let numbers = near.entry(column).or_default();
        for next in [number, number.saturating_add(1), number.saturating_sub(1)] {
            if !numbers.contains(&next) {
                numbers.push(next);
            }
        }
    }
    near
}

/// The columns that statements compare with what earlier ones have found, and the columns that it was found in.
fn compared_with_found(program: &Program) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (place, statement) in program.statements.iter().enumerate() {
        for (column, name) in compared(&statement.text) {
            let found = program.statements[..place].iter().rev().find_map(|earlier| {
                let result = earlier.results.iter().find(|result| result.variable == name)?;
                Some(original(earlier, &result.column))
            });
            let is_bound = |rows: &Rows| match rows {
                Rows::One { key, .. } => key.contains(&column),
                Rows::Where { equal, .. } => equal.contains_key(&column),
                Rows::All => false,
            };
            let is_equality = statement.accesses.iter().any(|access| is_bound(&access.rows));
            pairs.extend(found.filter(|_| !is_equality).map(|found| (column, found)));
        }
    }
    pairs
}

/// The turns of a witness. A statement that was changed into several takes several.
fn turns(witness: &Witness, scripts: &[Script]) -> Vec<Seat> {
    let mut next: BTreeMap<usize, usize> = BTreeMap::new();
    let mut turns = Vec::new();
    for step in &witness.schedule {
        let Some(script) = scripts.get(step.instance) else { continue };
        let place = next.entry(step.instance).or_default();
        let mut count = 1;
        if let StepKind::Statement(_) = step.what {
            // Several steps of the same statement in a row come from a change; of a loop, from its iterations.
            let same = script.kinds[*place..].iter().take_while(|kind| **kind == step.what).count();
            let in_schedule = witness
                .schedule
                .iter()
                .filter(|other| other.instance == step.instance && other.what == step.what)
                .count();
            let in_script = script.kinds.iter().filter(|kind| **kind == step.what).count();
            count = same.min(in_script.div_ceil(in_schedule.max(1)));
        }
        turns.extend(std::iter::repeat_n(Seat(step.instance), count));
        *place += count;
    }
    turns
}

fn tell(event: &Event<'_>, scripts: &[Script], on: &mut (dyn FnMut(ProofEvent) + Send)) {
    match event {
        Event::Began(step) => on(ProofEvent::StepBegan {
            session: step.session.0,
            what: scripts[step.session.0].kinds[step.place],
            sql: scripts[step.session.0].shown[step.place].sql.clone(),
        }),
        Event::Waits(step, blockers) => {
            on(ProofEvent::Blocked { session: step.session.0, by: blockers.iter().map(|seat| seat.0).collect() });
        }
        Event::Answered(step, replies) => {
            let session = step.session.0;
            let what = scripts[session].kinds[step.place];
            let error = replies.iter().find(|reply| matches!(reply, Reply::Error(_)));
            let mut answers = replies.iter().filter(|reply| matches!(reply, Reply::Complete { .. }));
            match error.or_else(|| answers.nth(scripts[session].shown[step.place].reply)) {
                Some(Reply::Complete { tag, rows }) => {
                    let rows = rows.as_ref().map(|rows| rows.rows.iter().take(ROWS_MAX).cloned().collect());
                    on(ProofEvent::StepDone { session, what, tag: tag.clone(), rows });
                }
                Some(Reply::Error(error)) => on(ProofEvent::Failed {
                    session,
                    what,
                    sqlstate: error.sqlstate.clone(),
                    message: error.message.clone(),
                }),
                _ => {}
            }
        }
        Event::Again(seat) => on(ProofEvent::Retried { session: seat.0 }),
    }
}
