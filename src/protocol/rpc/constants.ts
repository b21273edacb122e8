/** What RPC has numbers for. Source: RFC 5531, sections 8.2 and 9. */
export const rpcVersion = 2;

/** What a message is. */
export const messageTypes = { CALL: 0, REPLY: 1 } as const;
/** Whether a call was taken. */
export const replyStatus = { MSG_ACCEPTED: 0, MSG_DENIED: 1 } as const;
/** What became of a call that was taken. */
export const acceptStatus = {
  SUCCESS: 0,
  PROG_UNAVAIL: 1,
  PROG_MISMATCH: 2,
  PROC_UNAVAIL: 3,
  GARBAGE_ARGS: 4,
  SYSTEM_ERR: 5,
} as const;
/** Why a call was not taken. */
export const rejectStatus = { RPC_MISMATCH: 0, AUTH_ERROR: 1 } as const;
/** What is wrong with who somebody says that he is. */
export const authStatus = { AUTH_BADCRED: 1 } as const;
/** How somebody says who he is. */
export const authFlavors = { AUTH_NONE: 0, AUTH_SYS: 1 } as const;

/** The programs that are known here. Source: IANA, "RPC Program Numbers". */
export const programs = { PORTMAP: 100_000, NFS: 100_003, MOUNT: 100_005 } as const;
