import type { Boot } from './boot.ts';
import { fileKey } from './file-key.ts';
import type { EntryStep, FileStep, TraceStep } from './trace-step.ts';

/** The stages of a boot, in order. */
export const stages = ['dhcp', 'loader', 'ipxe dhcp', 'script', 'entry', 'files', 'login', 'write'] as const;

export type Stage = (typeof stages)[number];

/** What is known of a boot, step by step. */
export interface BootProgress {
  /** What the machine's firmware was told to load. */
  loader?: string;
  /** What iPXE was told to load. */
  script?: string;
  entry?: EntryStep;
  /** By their keys, files that were got. */
  readonly got: Set<string>;
  /** The stage that it has come to. */
  stage: Stage;
  isEnded: boolean;
  failure: { readonly stage: Stage; readonly step: TraceStep } | undefined;
  readonly last: TraceStep | undefined;
}

/** Goes through the steps of a boot. */
export function progressOf({ steps }: Boot): BootProgress {
  const progress: BootProgress = {
    got: new Set(),
    stage: 'dhcp',
    isEnded: false,
    failure: undefined,
    last: steps.at(-1),
  };
  for (const step of steps) take(progress, step);
  return progress;
}

function take(progress: BootProgress, step: TraceStep): void {
  const stage = stageOf(step, progress);
  if (isFailed(step)) {
    // What is only tried, because some have it, is no failure unless that is what was offered.
    const isTried = step.kind === 'file' && isOptional(step, progress);
    // A system that runs may look for what it likes.
    if (!isTried && rank(stage) >= rank(progress.stage)) progress.failure ??= { stage, step };
    return;
  }
  if (step.kind === 'file') progress.got.add(step.name);
  if (step.kind === 'entry') progress.entry = step;
  if ((step.kind === 'offer' || step.kind === 'ack') && step.fileName !== undefined) {
    if (step.asker === 'ipxe') progress.script = step.fileName;
    else if (step.asker === 'firmware') progress.loader = step.fileName;
  }
  progress.isEnded = step.kind === 'end';
  if (rank(stage) > rank(progress.stage)) progress.stage = stage;
  if (progress.failure !== undefined && overcomes(step, stage, progress.failure)) progress.failure = undefined;
}

function stageOf(step: TraceStep, progress: BootProgress): Stage {
  switch (step.kind) {
    case 'file':
      return stageOfFile(step, progress);
    case 'entry':
    case 'login':
    case 'write':
      return step.kind;
    case 'end':
      return progress.stage;
    default:
      // A system that boots asks, too, when it has its kernel.
      return step.asker === 'ipxe' && progress.entry === undefined
        ? 'ipxe dhcp'
        : step.asker === 'system'
          ? progress.stage
          : 'dhcp';
  }
}

function stageOfFile({ name }: FileStep, { entry, loader, stage }: BootProgress): Stage {
  if (entry?.files?.includes(name)) return 'files';
  if (loader !== undefined && name === fileKey(loader)) return 'loader';
  if (/\.ipxe$|(^|\/)(pxelinux\.cfg\/|grub\.cfg)/.test(name)) return entry === undefined ? 'script' : 'entry';
  return entry === undefined && rank(stage) < rank('script') ? 'loader' : 'files';
}

function isFailed(step: TraceStep): boolean {
  if (step.kind === 'nak' || step.kind === 'unanswered') return true;
  if (step.kind === 'file' && step.status >= 400) return true;
  return 'failure' in step && step.failure !== undefined;
}

/** What loaders look for besides: their own settings, under all the names that they may have. */
function isOptional({ name }: FileStep, { loader, script }: BootProgress): boolean {
  if ([loader, script].some((offered) => offered !== undefined && fileKey(offered) === name)) return false;
  if (isBesideTemplate(name)) return true;
  return /(^|\/)(autoexec\.ipxe|pxelinux\.cfg\/.*|grub\.cfg[^/]*|[^/]*\.(c32|lst|mod|fs))$/i.test(name);
}

/** What cloud-init looks for beside its user-data, as far as its version knows of it. */
export function isBesideTemplate(name: string): boolean {
  return /^template\/…\/(meta-data|vendor-data|network-config)$/.test(name);
}

function overcomes(
  step: TraceStep,
  stage: Stage,
  failure: { readonly stage: Stage; readonly step: TraceStep },
): boolean {
  if (step.kind === 'end' || step.kind === 'discover' || step.kind === 'request') return false;
  if (rank(stage) !== rank(failure.stage)) return rank(stage) > rank(failure.stage);
  const { kind } = failure.step;
  if (kind === 'nak') return step.kind === 'ack';
  if (kind === 'unanswered') return 'fileName' in step;
  // Of the files of an entry each is needed.
  return step.kind !== 'file' || failure.step.kind !== 'file' || step.name === failure.step.name || stage !== 'files';
}

/** How far a stage is. */
export function rank(stage: Stage): number {
  return stages.indexOf(stage);
}
