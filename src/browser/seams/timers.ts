/** In the place of node:timers/promises: lets other things happen. */
export function setImmediate(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
