import type { TraceStep } from './trace-step.ts';

/** One boot of one machine: what was seen of it, in order. */
export interface Boot {
  /** The machine's MAC address; its address where nobody knows that. */
  readonly machine: string;
  readonly steps: readonly TraceStep[];
  /** Steps in the middle that were too many to keep. */
  readonly omittedCount: number;
  /** Whether the machine has begun another boot since. */
  readonly isReplaced: boolean;
}

/** What is not kept of a boot any more stands in its middle: how it began and how it is are what tells. */
const keptFirst = 48;
const keptSteps = 96;
/** After which a machine that asks again begins again, even where it had come no further than to ask. */
const pauseMs = 600_000;

/** A boot that goes on. */
export class GrowingBoot implements Boot {
  readonly machine: string;
  readonly steps: TraceStep[] = [];
  omittedCount = 0;
  isReplaced = false;

  constructor(machine: string) {
    this.machine = machine;
  }

  add(step: TraceStep): void {
    this.steps.push(step);
    if (this.steps.length <= keptSteps) return;
    this.steps.splice(keptFirst, 1);
    this.omittedCount += 1;
  }

  /** Whether it has come further than to DHCP. */
  get isBeyondDhcp(): boolean {
    return this.steps.some(({ kind }) => isBeyondDhcp(kind));
  }

  /** Whether `step` is not of this boot, but begins the next. */
  endsBefore(step: TraceStep): boolean {
    const last = this.steps.at(-1);
    if (last === undefined) return false;
    if (step.kind === 'entry') return this.steps.some(({ kind }) => kind === 'entry');
    if (step.kind !== 'discover' || step.asker === 'system') return false;
    if (step.timeMs - last.timeMs > pauseMs) return true;
    // iPXE asks for itself, after its loader was got.
    return step.asker === 'ipxe' ? this.steps.some(isOfScript) : this.isBeyondDhcp;
  }
}

/** Whether a machine that nothing is known of may begin a boot with `step`. */
export function canBegin(step: TraceStep): boolean {
  if (step.kind === 'discover' || step.kind === 'request') return step.asker !== 'system';
  return step.kind === 'file' || step.kind === 'entry' || step.kind === 'login';
}

function isBeyondDhcp(kind: TraceStep['kind']): boolean {
  return kind === 'file' || kind === 'entry' || kind === 'login' || kind === 'write';
}

function isOfScript(step: TraceStep): boolean {
  const isScript = step.kind === 'file' && /\.ipxe$/.test(step.name) && !/autoexec\.ipxe$/.test(step.name);
  return isScript || step.kind === 'entry' || step.kind === 'login' || step.kind === 'write';
}
