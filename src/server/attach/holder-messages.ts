import type { ErrorCode } from '../../base/varve-error.ts';
import type { Attachment } from './attachment.ts';

/** What a holder is told. */
export interface HolderRequest {
  /** Of the attachment. */
  readonly directory: string;
  /** What is known of it before it is open. */
  readonly attachment: Omit<Attachment, 'size' | 'holder'>;
}

/** What a holder says once. */
export type HolderAnswer =
  | { readonly kind: 'ready'; readonly attachment: Attachment }
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string };
