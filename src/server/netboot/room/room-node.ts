/** Something that a room's file says, and where. */
export type RoomNode = TextNode | ListNode | MapNode;

interface Place {
  /** From 1; undefined of what does not come from a file. */
  readonly line: number | undefined;
  /** What messages call it: `entries.web.boot`, `--boot`. */
  readonly where: string;
}

/** A text, number, or nothing at all, as it is written. */
export interface TextNode extends Place {
  readonly kind: 'text';
  readonly text: string;
}

/** Several of a kind. */
export interface ListNode extends Place {
  readonly kind: 'list';
  readonly items: readonly RoomNode[];
}

/** Things with names. */
export interface MapNode extends Place {
  readonly kind: 'map';
  readonly fields: ReadonlyMap<string, RoomNode>;
}
