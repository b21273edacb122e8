/** The name under which mounts of ours are listed. */
export const fuseSource = 'varve';
