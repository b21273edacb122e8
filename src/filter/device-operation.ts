/** A method of `BlockDevice` that makes a request. */
export type DeviceOperation = 'read' | 'write' | 'zero' | 'trim' | 'flush' | 'extents';

/** All of them. */
export const deviceOperations: readonly DeviceOperation[] = ['read', 'write', 'zero', 'trim', 'flush', 'extents'];
