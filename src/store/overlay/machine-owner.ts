/** What becomes of a machine's overlay when it boots again: it is dropped, or kept. */
export type OverlayPolicy = 'discard' | 'keep';

/** Whose overlays over an image are those of a machine that boots over the network. */
export interface MachineOwner {
  /** With dashes: `52-54-00-12-34-56`. */
  readonly mac: string;
  readonly overlay: OverlayPolicy;
}

/** The owner of a machine's stacks: one that is kept for each image, and one that is not, in all. */
export function machineOwner({ mac, overlay }: MachineOwner): string {
  return `machine ${mac} ${overlay}`;
}

/** The machine that is an owner of overlays; undefined for all others. */
export function machineOf(owner: string): MachineOwner | undefined {
  const [, mac, overlay] = /^machine ((?:[0-9a-f]{2}-){5}[0-9a-f]{2}) (discard|keep)$/.exec(owner) ?? [];
  return mac === undefined ? undefined : { mac, overlay: overlay as OverlayPolicy };
}
