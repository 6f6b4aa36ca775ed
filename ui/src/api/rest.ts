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
