import { type BootProgress, rank } from './boot-progress.ts';
import { fileKey } from './file-key.ts';
import type { DhcpSilence, FileStep, SilenceReason, TraceStep } from './trace-step.ts';

/** Why a step failed, for people. Texts from packets are in it as they came. */
export function failureReason(step: TraceStep, progress: BootProgress): string {
  switch (step.kind) {
    case 'unanswered':
      return silenceReason(step);
    case 'nak':
      return 'the address that it asked for is not its own here, and it did not ask for another';
    case 'file':
      return fileReason(step, progress);
    case 'entry':
      return `entry ${step.entry} could not be made ready: ${step.failure}`;
    case 'login':
      return `its disk ${step.disk} was refused by ${step.protocol === 'iscsi' ? 'iSCSI' : step.protocol.toUpperCase()}: ${step.failure}`;
    default:
      return ('failure' in step && step.failure) || 'it ended';
  }
}

const silenceReasons: Readonly<Record<SilenceReason, string>> = {
  notInRoom: 'the room has nothing for this machine; name its MAC address in the room file',
  noLoader: 'there is no loader for this architecture',
  noAddress: 'there is no address for it: its network is not one of the room, or all addresses are taken',
  nothingToBoot: 'it was given nothing to start',
  failure: 'its DHCP packet could not be answered',
};

function silenceReason({ architecture, detail, reason }: DhcpSilence): string {
  const which = reason === 'noLoader' && architecture !== undefined ? ` (${architecture})` : '';
  return `${silenceReasons[reason]}${which}${detail === undefined ? '' : `: ${detail}`}`;
}

function fileReason(step: FileStep, { entry, loader, stage }: BootProgress): string {
  const { failure, name, protocol, status } = step;
  const by = protocol.toUpperCase();
  if (status === 410)
    return `${name} was served already, and is served once only (410): it asked twice, or it is of an older boot`;
  if (status !== 404) {
    const why = failure ?? `status ${status}`;
    return `${name} could not be got by ${by}: ${why}`;
  }
  if (rank(stage) < rank('script') && loader !== undefined && fileKey(loader) !== name) {
    return `it asked for ${name} by ${by}, which is not there; what it was offered is ${loader}. Another DHCP server, or its own settings, name that file`;
  }
  const isOffered = loader !== undefined && fileKey(loader) === name;
  return `there is no file ${name} (${by})${isOffered ? ', which is what DHCP offers' : ''}${entry?.files?.includes(name) ? `, which entry ${entry.entry} needs` : ''}`;
}
