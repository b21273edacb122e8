import type { Boot } from './boot.ts';
import { type BootProgress, isBesideTemplate, progressOf, rank, type Stage } from './boot-progress.ts';
import { failureReason } from './failure-reason.ts';
import type { EntryStep } from './trace-step.ts';

/**
 * How a boot is: `booting`; `waiting` for whoever sits before its menu; `running` from its disk; `done`, all that it
 * asks of us was got; `ended`, it let go of its disk; `failed`.
 */
export type BootState = 'booting' | 'waiting' | 'running' | 'done' | 'ended' | 'failed';

/** The first step that failed, and why. */
export interface BootFailure {
  readonly stage: Stage;
  readonly reason: string;
}

export interface Diagnosis {
  readonly state: BootState;
  /** What comes next, where it goes on. */
  readonly next: string | undefined;
  readonly failure: BootFailure | undefined;
}

/** How long a machine may take from one stage to the next, in milliseconds. */
const patienceMs: Readonly<Record<Stage, number>> = {
  dhcp: 60_000,
  loader: 60_000,
  'ipxe dhcp': 60_000,
  script: 60_000,
  entry: 60_000,
  files: 300_000,
  login: Number.POSITIVE_INFINITY,
  write: Number.POSITIVE_INFINITY,
};

/** What comes late, or is seen only when all of it was sent: what installers read, and whole disks. */
const longPatienceMs = 1_800_000;

/** How a boot is at a moment, in milliseconds since 1970. */
export function diagnose(boot: Boot, nowMs: number): Diagnosis {
  const progress = progressOf(boot);
  const { failure, last, stage } = progress;
  if (failure !== undefined) {
    return {
      state: 'failed',
      next: undefined,
      failure: { stage: failure.stage, reason: failureReason(failure.step, progress) },
    };
  }
  const state = settledState(progress);
  if (state !== undefined) return { state, next: undefined, failure: undefined };
  const { isSlow = false, next, silence, waitsForStage } = expectation(progress);
  const isSilent =
    boot.isReplaced || (last !== undefined && nowMs - last.timeMs > (isSlow ? longPatienceMs : patienceMs[stage]));
  if (!isSilent) return { state: 'booting', next, failure: undefined };
  const reason = boot.isReplaced ? `the machine began again: ${silence}` : silence;
  return { state: 'failed', next: undefined, failure: { stage: waitsForStage, reason } };
}

/** What needs nothing more of us; undefined where something is still to come. */
function settledState(progress: BootProgress): BootState | undefined {
  const { entry, isEnded, stage } = progress;
  if (isEnded) return 'ended';
  if (rank(stage) >= rank('login')) return 'running';
  if (entry === undefined) return stage === 'script' ? 'waiting' : undefined;
  return missingFile(progress) === undefined && !usesDisk(entry) ? 'done' : undefined;
}

function usesDisk({ boot }: EntryStep): boolean {
  return boot !== 'kernel' && boot !== 'local' && boot !== 'ram';
}

/** What a system reads that has its disk already is not waited for. */
function missingFile({ entry, got }: BootProgress): string | undefined {
  const isNeeded = (name: string): boolean =>
    !isBesideTemplate(name) && !(usesDisk(entry!) && name.startsWith('template/'));
  return entry?.files?.find((name) => !got.has(name) && isNeeded(name));
}

interface Expectation {
  readonly next: string;
  /** What is said where that does not come. */
  readonly silence: string;
  readonly waitsForStage: Stage;
  readonly isSlow?: boolean;
}

function expectation(progress: BootProgress): Expectation {
  const { entry, last, loader, script, stage } = progress;
  if (entry !== undefined) return expectationOfEntry(progress, entry);
  if (stage === 'ipxe dhcp' && script !== undefined && last?.kind !== 'offer') {
    if (script.startsWith('iscsi:')) return expectationOfRoot(script);
    return {
      ...{ next: `the script ${script}`, waitsForStage: 'script' },
      silence: `iPXE was told to get ${script} and never asked for it: is the port of HTTP blocked by a firewall?`,
    };
  }
  if (stage === 'loader') {
    return {
      ...{ next: 'DHCP of iPXE', waitsForStage: 'ipxe dhcp' },
      silence:
        'the loader was got, and nothing came after it: it did not start (Secure Boot, or made for another machine), or its packets do not reach us',
    };
  }
  const offered = stage === 'ipxe dhcp' ? script : loader;
  if (last?.kind === 'offer') {
    return {
      ...{ next: 'REQUEST', waitsForStage: stage },
      silence: `${offered ?? 'an address'} was offered and not taken: another DHCP server was quicker, or the offer is lost on its way`,
    };
  }
  if (offered === undefined) {
    return { next: 'OFFER', waitsForStage: stage, silence: 'nothing to start was offered to it' };
  }
  const port = /^http/.test(offered) ? 'the port of HTTP' : 'UDP port 69, or those that TFTP answers from,';
  return {
    ...{ next: `the loader ${offered}`, waitsForStage: 'loader' },
    silence: `it was told to load ${offered} and never asked for it: is ${port} blocked by a firewall?`,
  };
}

function expectationOfRoot(root: string): Expectation {
  const silence = `it was told to start from ${root} and never asked for that: is the port of iSCSI blocked by a firewall?`;
  return { next: `login to ${root}`, waitsForStage: 'login', silence };
}

function expectationOfEntry(progress: BootProgress, { boot, entry, image }: EntryStep): Expectation {
  const missing = missingFile(progress);
  if (missing !== undefined) {
    return {
      ...{ next: missing, waitsForStage: 'files', isSlow: /^(template|ram)\//.test(missing) },
      silence: `entry ${entry} needs ${missing}, and it never asked for that: did iPXE stop at its script?`,
    };
  }
  const disk = image === undefined ? 'its disk' : `its disk (${image})`;
  return {
    ...{ next: `login to ${disk}`, waitsForStage: 'login' },
    silence: `it has all its files and never asked for ${disk} by ${protocolOf(boot)}: does its initramfs know how, and is the port blocked?`,
  };
}

function protocolOf(boot: string): string {
  if (boot === 'nbd') return 'NBD';
  return boot === 'nfs' ? 'NFS' : 'iSCSI';
}
