import type { Catalog } from './catalog.ts';
import type { ChunkReader } from './chunk-reader.ts';
import type { ChunkTable } from './chunk-table.ts';
import type { DirectoryPackStore } from './directory-pack-store.ts';
import type { ImageEditor } from './image-editor.ts';
import type { ImageTable } from './image-table.ts';
import type { LeaseTable } from './lease.ts';
import type { OverlayTable } from './overlay/overlay-table.ts';

/** What an open directory store is made of; the operations of this folder work on these. */
export interface StoreParts {
  /** The store's directory. */
  readonly path: string;
  readonly catalog: Catalog;
  readonly packs: DirectoryPackStore;
  readonly chunks: ChunkTable;
  readonly images: ImageTable;
  readonly leases: LeaseTable;
  readonly overlays: OverlayTable;
  readonly reader: ChunkReader;
  readonly edit: ImageEditor;
}
