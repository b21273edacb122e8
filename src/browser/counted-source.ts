import type { FetchedSource } from '../block/http/fetched-device.ts';

/** How much was read of where a disk comes from. */
export interface FetchedAmount {
  readonly requestCount: number;
  readonly byteCount: number;
}

/** Where a disk comes from, and how much was read of it until now. */
export interface CountedSource extends FetchedSource {
  readonly amount: FetchedAmount;
}
