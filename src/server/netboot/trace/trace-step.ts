/** What every step has. */
interface StepCommon {
  /** When, in milliseconds since 1970. */
  readonly timeMs: number;
  /** `52:54:00:12:34:56`; undefined where only the address is known. */
  readonly mac?: string | undefined;
  /** `10.9.0.20`, without a port. */
  readonly address?: string | undefined;
}

/** Who asks DHCP: a machine's firmware, iPXE, or the system that was booted. */
export type DhcpAsker = 'firmware' | 'ipxe' | 'system';

/** A question to DHCP. */
export interface DhcpQuestion extends StepCommon {
  readonly kind: 'discover' | 'request';
  readonly asker: DhcpAsker;
  /** `x64 EFI`, or `architecture 99`. */
  readonly architecture?: string | undefined;
}

/** An answer of DHCP; `address` is the one that is given. */
export interface DhcpReply extends StepCommon {
  readonly kind: 'offer' | 'ack' | 'nak';
  readonly asker: DhcpAsker;
  /** What the client is told to start: the name of a loader, a URI, or a root path where that is all. */
  readonly fileName?: string | undefined;
}

/** Why DHCP says nothing. */
export type SilenceReason = 'notInRoom' | 'noLoader' | 'noAddress' | 'nothingToBoot' | 'failure';

/** A question to which DHCP says nothing, or nothing of what to start. */
export interface DhcpSilence extends StepCommon {
  readonly kind: 'unanswered';
  readonly asker: DhcpAsker;
  readonly reason: SilenceReason;
  readonly architecture?: string | undefined;
  readonly detail?: string | undefined;
}

/** A file that was asked for, when it was done with. */
export interface FileStep extends StepCommon {
  readonly kind: 'file';
  readonly protocol: 'tftp' | 'http' | 'nfs';
  /** As it was asked for, without `http://…/`. */
  readonly name: string;
  /** 200, 206, 404, 410 and so on, also for TFTP. */
  readonly status: number;
  /** Of the file, in bytes. */
  readonly size?: number | undefined;
  readonly milliseconds?: number | undefined;
  /** Why the client does not have it. */
  readonly failure?: string | undefined;
}

/** An entry was chosen, and its script made: a boot of it begins. */
export interface EntryStep extends StepCommon {
  readonly kind: 'entry';
  readonly entry: string;
  /** What the room calls the machine. */
  readonly name?: string | undefined;
  /** `sanboot`, `nbd`, … */
  readonly boot: string;
  /** `web@3` */
  readonly image?: string | undefined;
  /** What the machine has to fetch after the script, by name as in `FileStep`, in order: kernel, initramfs, template. */
  readonly files?: readonly string[] | undefined;
  readonly failure?: string | undefined;
}

/** A client asked for its disk. */
export interface LoginStep extends StepCommon {
  readonly kind: 'login';
  readonly protocol: 'iscsi' | 'nbd' | 'nfs';
  /** What it asked for: the name of an export, of a target, a path. */
  readonly disk: string;
  /** Why it does not get it. */
  readonly failure?: string | undefined;
}

/** The machine wrote to its disk for the first time in this boot. */
export interface WriteStep extends StepCommon {
  readonly kind: 'write';
}

/** The machine let go of its disk, or the server ends. */
export interface EndStep extends StepCommon {
  readonly kind: 'end';
  readonly failure?: string | undefined;
}

/** One thing that happened to a machine that boots; plain data, as it goes from process to process and to the journal. */
export type TraceStep = DhcpQuestion | DhcpReply | DhcpSilence | FileStep | EntryStep | LoginStep | WriteStep | EndStep;
