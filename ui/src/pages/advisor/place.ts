// Where statements meet, in the reader's words.
import type { Texts } from '../../i18n/index.ts';

/** What stands among columns when it is whole rows that come or go (`EXISTENCE` in `tools/src/advisor/robustness`). */
const EXISTENCE = '(existence)';

export const columnNames = (columns: readonly string[], { t }: Texts): string => columns.map((column) => (column === EXISTENCE ? t('advisor.existence') : column)).join(', ');

export const meetingPlace = (relation: string, columns: readonly string[], texts: Texts): string => (columns.length === 0 ? relation : `${relation} (${columnNames(columns, texts)})`);
