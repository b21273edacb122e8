import { formatSize } from '../../../base/size.ts';
import { printable } from '../../../log/printable.ts';
import type { Diagnosis } from './diagnose.ts';
import type { DhcpAsker, TraceStep } from './trace-step.ts';

/** A step in two columns: what it was, and the rest. Nothing in it is obeyed by a terminal. */
export function stepText(step: TraceStep): readonly [what: string, rest: string] {
  const [what, ...rest] = partsOf(step);
  return [
    printable(what!),
    rest
      .filter((part) => part !== undefined && part !== '')
      .map((part) => printable(part!))
      .join(', '),
  ];
}

/** `failed at loader: …`, `running`, `booting; next: …` */
export function diagnosisText({ failure, next, state }: Diagnosis): string {
  if (failure !== undefined) return printable(`failed at ${failure.stage}: ${failure.reason}`);
  return next === undefined ? state : printable(`${state}; next: ${next}`);
}

const askers: Readonly<Record<DhcpAsker, string>> = { firmware: 'firmware', ipxe: 'iPXE', system: 'its system' };

function partsOf(step: TraceStep): (string | undefined)[] {
  switch (step.kind) {
    case 'discover':
    case 'request':
      return [step.kind.toUpperCase(), askers[step.asker], step.architecture, step.address];
    case 'offer':
    case 'ack':
    case 'nak':
      return [step.kind.toUpperCase(), step.address, step.fileName];
    case 'unanswered':
      return ['no answer', askers[step.asker], step.reason, step.architecture, step.detail];
    case 'file':
      return [`${step.protocol.toUpperCase()} ${step.status}`, step.name, sizeAndTime(step), step.failure];
    case 'entry':
      return ['boot', step.entry, step.boot, step.image, step.failure];
    case 'login':
      return [`${step.protocol === 'iscsi' ? 'iSCSI' : step.protocol.toUpperCase()} login`, step.disk, step.failure];
    case 'write':
      return ['first write'];
    case 'end':
      return ['end', step.failure];
  }
}

function sizeAndTime({ milliseconds, size }: { milliseconds?: number | undefined; size?: number | undefined }): string {
  const time = milliseconds === undefined ? '' : ` in ${Math.max(1, Math.round(milliseconds))} ms`;
  return size === undefined ? '' : `${formatSize(size)}${time}`;
}
