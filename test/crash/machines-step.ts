/** The machines that `machines-worker.ts` has: one keeps its overlay, one does not. */
export const stampedMachines = [
  { mac: '52-54-00-00-00-01', overlay: 'keep' },
  { mac: '52-54-00-00-00-02', overlay: 'discard' },
] as const;

/** A line of the worker's output, about one machine and what its disk is full of by then. */
export interface MachineReport {
  readonly mac: string;
  readonly step: 'begin' | 'begun' | 'write' | 'flushed' | 'commit' | 'committed';
  readonly stamp: number;
  /** When it was said, by the clock of `process.hrtime`. */
  readonly ns: number;
}
