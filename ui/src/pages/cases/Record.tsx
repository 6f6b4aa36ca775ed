// One record: what each arm did, against the baseline, with intervals; what was claimed and what came of it.
import { api } from '../../api/client.ts';
import type { ArmResult, RecordDetail } from '../../api/rest.ts';
import { Ratios } from '../../charts/ratios.tsx';
import { useTexts } from '../../i18n/index.ts';
import { useTheme } from '../../state/context.ts';
import { hashOf } from '../../state/route.ts';
import { Panel, Wide } from '../../views/parts.tsx';
import { Answered, useAnswer } from '../Cases.tsx';

export function RecordView({ id }: { id: string }) {
  const answer = useAnswer(() => api.record(id), id);
  return <Answered answer={answer}>{(record) => <Shown record={record} />}</Answered>;
}

function Shown({ record }: { record: RecordDetail }) {
  const texts = useTexts();
  const { t, language, number } = texts;
  const theme = useTheme();
  const ratios = record.arms.flatMap((arm) => (arm.ratio ? [{ name: arm.name, ratio: arm.ratio[0], low: arm.ratio[1], high: arm.ratio[2] }] : []));
  return (
    <>
      <h1>
        <a href={hashOf('cases', [record.entry.study])}>{record.entry.study}</a> <small>{new Date(record.entry.started_at).toLocaleString(language === 'zh' ? 'zh-CN' : 'en')}</small>
      </h1>
      <p className="command">
        <code>{record.command}</code>
      </p>
      {record.invalid.length > 0 && (
        <div className="problem" role="note">
          <strong>{t('record.invalid')}</strong>
          {record.invalid.map((why) => (
            <span key={why} lang="en">
              {why}
            </span>
          ))}
        </div>
      )}
      <Panel title={t('record.arms')} name="arms" tools={<a href={api.reportAddress(record.entry.id, language)} target="_blank" rel="noreferrer">{t('record.report')}</a>}>
        <div className="scroll" tabIndex={0} role="region" aria-label={t('record.arms')}>
          <table className="list">
            <thead>
              <tr>
                <th scope="col">{t('record.arm')}</th>
                <th scope="col">{t('record.invariants')}</th>
                <th scope="col" className="number">{t('record.perSecond')}</th>
                <th scope="col" className="number">p50 ms</th>
                <th scope="col" className="number">p99 ms</th>
                <th scope="col" className="number">{t('record.retries')}</th>
                <th scope="col" className="number">{t('record.wal')}</th>
              </tr>
            </thead>
            <tbody>
              {record.arms.map((arm) => (
                <Arm key={arm.name} arm={arm} />
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
      {ratios.length > 0 && record.baseline && (
        <Panel title={t('record.ratios')} name="ratios">
          <Wide>{(width) => <Ratios data={{ title: t('run.throughput'), baseline: record.baseline ?? '', ratios }} width={width} theme={theme} texts={texts} />}</Wide>
        </Panel>
      )}
      {record.claims.length > 0 && <Claims record={record} />}
      {record.charts.length > 0 && (
        <Panel title={t('record.charts')} name="charts">
          <div className="figures">
            {record.charts.map((chart) => (
              <img key={chart} src={api.chartAddress(record.entry.id, chart, language)} alt={texts.code('chart', chart)} loading="lazy" />
            ))}
          </div>
        </Panel>
      )}
      <p className="muted">
        {t('record.made', { version: record.version, commit: record.commit.slice(0, 12), seed: record.seed, seconds: number(record.seconds) })}
        <br />
        <span lang="en">{record.machine}</span> · {record.servers.join(', ')}
      </p>
    </>
  );
}

function Arm({ arm }: { arm: ArmResult }) {
  const texts = useTexts();
  const { t, number, code } = texts;
  const figure = (value: number | undefined, scale = 1, digits = 1) => (value === undefined || value === null ? '—' : number(value * scale, digits));
  return (
    <tr>
      <th scope="row">
        {arm.name} <span className={`badge ${arm.kind}`}>{code('expectation', arm.kind)}</span>
      </th>
      <td>
        {arm.broken.length === 0 ? (
          <span className="sign visible">{t('record.held')}</span>
        ) : (
          arm.broken.map((each) => (
            <span key={each.invariant} className="danger" title={each.found}>
              ✕ {each.invariant} ({number(each.count)})
            </span>
          ))
        )}
      </td>
      <td className="number">
        {figure(arm.per_second, 1, 0)}
        {arm.per_second_interval && <small> [{number(arm.per_second_interval[0])}, {number(arm.per_second_interval[1])}]</small>}
      </td>
      <td className="number">{figure(arm.latency_us_p50, 1e-3, 2)}</td>
      <td className="number">{figure(arm.latency_us_p99, 1e-3, 2)}</td>
      <td className="number">{figure(arm.retries_per_op, 1, 2)}</td>
      <td className="number">{figure(arm.wal_bytes_per_op, 1, 0)}</td>
    </tr>
  );
}

function Claims({ record }: { record: RecordDetail }) {
  const { t, code, number } = useTexts();
  return (
    <Panel title={t('cases.claims')} name="claims">
      <ul className="plain">
        {record.claims.map((claim) => (
          <li key={claim.name}>
            <span className={`badge ${claim.outcome}`}>{code('claim', claim.outcome)}</span> <span lang="en">{claim.statement}</span>{' '}
            <span className="muted">
              {t('record.target', { target: number(claim.target, 2), unit: claim.unit })}
              {claim.measured !== undefined && claim.measured !== null && ` · ${t('record.measured', { measured: number(claim.measured, 2), unit: claim.unit })}`}
              {claim.why && <span lang="en"> · {claim.why}</span>}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
