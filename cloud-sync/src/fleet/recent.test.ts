import { describe, expect, it } from 'vitest';
import { newRecent } from './recent.ts';
import { parseReport, type Report } from './report.ts';

function report(messages: number, matured = 0, errorSum = 0): Report {
  const ledger = {
    received: messages,
    used: messages,
    late: 0,
    duplicate: 0,
    retained: 0,
    filtered: 0,
    quarantined: 0,
  };
  const tasks = [
    { name: 't', kind: 'forecast', predictions: messages, matured, error_sum: errorSum, baseline_sum: matured },
  ];
  return parseReport(JSON.stringify({ gateway: 'g', messages, ledger, tasks }));
}

describe('the last minutes of a gateway', () => {
  it('takes the rate from the last seconds, not from the beginning', () => {
    const recent = newRecent();
    for (let s = 0; s <= 60; s++) recent.add(s * 1000, report(s <= 30 ? s : 30 + (s - 30) * 100));
    expect(recent.messagesPerS()).toBeCloseTo(100);
    expect(recent.predictionsPerS()).toBeCloseTo(100);
  });

  it('has no rate before the second report', () => {
    const recent = newRecent();
    expect(recent.messagesPerS()).toBe(0);
    recent.add(0, report(500));
    expect(recent.messagesPerS()).toBe(0);
  });

  it('takes the error from the labels of five minutes', () => {
    const recent = newRecent();
    for (let s = 0; s <= 600; s += 5) recent.add(s * 1000, report(s, s, s <= 300 ? s : 300 + (s - 300) * 0.25));
    expect(recent.error('t')?.error).toBeCloseTo(0.25);
    expect(recent.error('t')?.baseline).toBeCloseTo(1);
    expect(recent.error('t')?.matured).toBe(300);
    expect(recent.error('other')).toBeNull();
  });

  it('does not count backwards when a gateway begins anew', () => {
    const recent = newRecent();
    recent.add(0, report(1_000, 900, 90));
    recent.add(10_000, report(10, 5, 1));
    recent.add(20_000, report(20, 10, 2));
    expect(recent.messagesPerS()).toBeCloseTo(1);
    expect(recent.error('t')?.error).toBeCloseTo(0.2);
  });
});
