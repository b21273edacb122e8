import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { varveProgram } from './run-varve.ts';
import type { ServedDisk } from './served-disk.ts';

/** `varve serve --protocol iscsi` at work. */
export interface IscsiServing {
  readonly child: ChildProcess;
  readonly port: number;
  readonly target: string;
}

/** Serves a disk over iSCSI on a port of this machine's own, any that is free where none is given. */
export async function startIscsi(
  { argument, store }: Pick<ServedDisk, 'argument' | 'store'>,
  port = 0,
): Promise<IscsiServing> {
  const child = spawn(varveProgram, ['serve', argument, '--protocol', 'iscsi', '--listen', String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, VARVE_STORE: store },
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, bound, target] = /^serving iscsi:\/\/127\.0\.0\.1:(\d+)\/(\S+)\/0$/.exec(line) ?? [];
    if (bound !== undefined && target !== undefined) return { child, port: Number(bound), target };
  }
  throw new Error('varve serve has ended');
}
