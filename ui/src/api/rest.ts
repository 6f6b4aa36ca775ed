// The types of the server's interface by the names that the page uses. They are those of the OpenAPI document: what it does
// not say does not compile. A field that is absent is never sent as null, so null is taken off.
import type { components } from './schema.ts';

/** A type without nulls in its fields. Members of lists keep theirs: a null in a row of an answer is SQL's. */
export type Told<Type> = Type extends readonly unknown[]
  ? { [Index in keyof Type]: Told<Type[Index]> }
  : Type extends object
    ? { [Name in keyof Type]: Told<Exclude<Type[Name], null>> }
    : Type;

type Schemas = components['schemas'];
type Of<Name extends keyof Schemas> = Told<Schemas[Name]>;

export type Words = Of<'Words'>;
export type ProblemBody = Omit<Of<'Problem'>, 'code' | 'type'> & { code: string };
export type Question = Of<'AdvisorQuestion'>;
export type Level = Of<'IsolationLevel'>;
export type Analysed = Of<'AdvisorAnswer'>;
export type Analysis = Of<'AdvisorAnalysis'>;
export type AdvisorProgram = Of<'AdvisorProgram'>;
export type AdvisorEdge = Of<'AdvisorEdge'>;
export type DependencyKind = Of<'DependencyKind'>;
export type Verdict = Of<'AdvisorVerdict'>;
export type Witness = Of<'AdvisorWitness'>;
export type Remark = Of<'SourceRemark'>;
export type Promotion = Of<'AdvisorPromotion'>;
export type Decision = Of<'AdvisorDecision'>;
export type Estimate = Of<'AdvisorEstimate'>;
export type AdvisorForm = Of<'AdvisorForm'>;
export type FormQuestion = Of<'AdvisorFormQuestion'>;
export type Requirement = Of<'AdvisorRequirement'>;
export type Example = Of<'AdvisorExample'>;
export type AdvisorLanguage = Of<'AdvisorLanguage'>;
export type AdvisorCode = Of<'AdvisorCode'>;
export type AdvisorCodeRequest = Of<'AdvisorCodeRequest'>;
export type AdvisorLog = Of<'AdvisorLog'>;
export type ProveRequest = Of<'ProveRequest'>;
export type ProveShow = Of<'ProveShow'>;
/** Rows keep their nulls: they are SQL's. */
export type ProveMessage = Of<'ProveMessage'>;
export type PlayOutcome = Of<'PlayOutcome'>;
export type DecisionEntry = Of<'DecisionEntry'>;
export type DecisionDetail = Of<'DecisionDetail'>;
export type ServerStatus = Of<'ServerStatus'>;
export type Status = Of<'Status'>;
export type Table = Of<'Table'>;
export type Tables = Of<'Tables'>;
export type Watch = Of<'Watch'>;
export type LiveMoment = Of<'LiveMoment'>;
export type Answer = Of<'Answer'>;
export type Statement = Of<'Statement'>;
export type Console = Of<'Console'>;
export type Scenario = Of<'Scenario'>;
export type SceneCard = Of<'SceneCard'>;
export type SceneStep = Of<'SceneStep'>;
export type Scene = Of<'Scene'>;
export type Recording = Of<'Recording'>;
export type Changes = Of<'Changes'>;
export type StudyCard = Of<'StudyCard'>;
export type Studies = Of<'Studies'>;
export type RunRequest = Of<'RunRequest'>;
export type Pulse = Of<'Pulse'>;
export type Run = Of<'Run'>;
export type RunDetail = Of<'RunDetail'>;
export type RecordEntry = Of<'RecordEntry'>;
export type ArmResult = Of<'ArmResult'>;
export type RecordDetail = Of<'RecordDetail'>;
export type ArmSide = Of<'ArmSide'>;
export type RecordComparison = Of<'RecordComparison'>;
export type ClientMessage = Of<'ClientMessage'>;
export type ServerMessage = Of<'ServerMessage'>;
