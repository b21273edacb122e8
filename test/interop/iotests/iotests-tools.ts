import { findCommand } from '../../../scripts/setup/project.mjs';
import type { IotestsOptions } from './run-iotests.ts';

/** QEMU's programs as they are installed. @throws Error where one is not */
export function iotestsTools(): IotestsOptions['tools'] {
  const path = (name: string): string => {
    const found = findCommand(name);
    if (found === undefined) throw new Error(`${name} is not installed`);
    return found;
  };
  return { 'qemu-img': path('qemu-img'), 'qemu-io': path('qemu-io'), 'qemu-nbd': path('qemu-nbd') };
}
