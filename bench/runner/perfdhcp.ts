import { execFile } from 'node:child_process';
import type { Lab } from '../../test/netboot/lab.ts';
import { serverAddress } from '../../test/netboot/lab.ts';

const clientAddress = '10.9.0.2';
/** So many that next to none comes twice. */
const clients = 1_000_000;

/** What came of four-way exchanges that were begun at a steady rate. */
export interface Exchanges {
  /** Completed in a second. */
  readonly perSecond: number;
  /** Of those begun, the part that was not completed; 0 to 1. */
  readonly lost: number;
}

/** Has perfdhcp ask the server of a lab for addresses, as a relay with many clients, from another host. */
export async function perfdhcp(lab: Lab, { load, seconds }: { load: number; seconds: number }): Promise<Exchanges> {
  const options = ['-4', '-g', 'single', '-r', load, '-R', clients, '-p', seconds, '-l', clientAddress].map(String);
  const [program = '', ...args] = lab.elsewhere(clientAddress, 'perfdhcp', ...options, serverAddress);
  const stdout = await new Promise<string>((resolve) => {
    // Its status says whether anything was lost.
    execFile(program, args, { timeout: (seconds + 30) * 1000 }, (_error, printed) => resolve(printed));
  });
  const [, rate] = /^Rate: ([\d.]+) /m.exec(stdout) ?? [];
  const [begun = 0] = countsOf(stdout, 'sent packets');
  const [, completed = 0] = countsOf(stdout, 'received packets');
  if (rate === undefined || begun === 0) {
    throw new Error(`perfdhcp measured nothing: ${stdout}`);
  }
  return { perSecond: Number(rate), lost: 1 - completed / begun };
}

/** Of the first half of the exchanges, and of the second. */
function countsOf(printed: string, what: string): number[] {
  return Array.from(printed.matchAll(new RegExp(`^${what}: (\\d+)`, 'gm')), ([, count]) => Number(count));
}
