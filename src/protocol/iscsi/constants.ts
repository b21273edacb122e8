/*
 * The numbers of iSCSI, and where the fields of a basic header segment stand. Source: RFC 7143, section 11.
 *
 *   0   40h: immediate; operation code
 *   1   flags
 *   4   length of additional headers, in words
 *   5   length of the data, 3 bytes
 *   8   LUN
 *   16  initiator task tag
 *   20  target transfer tag; in a command the length that is expected; in task management the tag of another task
 *   24  CmdSN; from the target StatSN
 *   28  ExpStatSN; from the target ExpCmdSN
 *   32  the command, 16 bytes; from the target MaxCmdSN
 *   36  DataSN, R2TSN; in a login response the status, 2 bytes
 *   40  buffer offset
 *   44  residual count; in a request to transfer the length
 */

/** The length of a basic header segment, in bytes. */
export const headerLength = 48;

/** What says that there is no tag. */
export const noTag = 0xffff_ffff;

export const requests = {
  NOP_OUT: 0x00,
  SCSI_COMMAND: 0x01,
  TASK_MANAGEMENT: 0x02,
  LOGIN: 0x03,
  TEXT: 0x04,
  DATA_OUT: 0x05,
  LOGOUT: 0x06,
  SNACK: 0x10,
} as const;

export const responses = {
  NOP_IN: 0x20,
  SCSI_RESPONSE: 0x21,
  TASK_MANAGEMENT: 0x22,
  LOGIN: 0x23,
  TEXT: 0x24,
  DATA_IN: 0x25,
  LOGOUT: 0x26,
  READY_TO_TRANSFER: 0x31,
  ASYNC: 0x32,
  REJECT: 0x3f,
} as const;

/** Why a PDU is rejected. Source: section 11.17.1. */
export const rejectReasons = {
  DATA_DIGEST_ERROR: 0x02,
  SNACK_REJECT: 0x03,
  PROTOCOL_ERROR: 0x04,
  COMMAND_NOT_SUPPORTED: 0x05,
  TASK_IN_PROGRESS: 0x07,
  INVALID_FIELD: 0x09,
} as const;

/** Class and detail of a login's end. Source: section 11.13.5. */
export const loginStatus = {
  SUCCESS: 0x0000,
  INITIATOR_ERROR: 0x0200,
  AUTHENTICATION_FAILURE: 0x0201,
  NOT_FOUND: 0x0203,
  UNSUPPORTED_VERSION: 0x0205,
  TOO_MANY_CONNECTIONS: 0x0206,
  MISSING_PARAMETER: 0x0207,
  SESSION_TYPE_NOT_SUPPORTED: 0x0209,
  NO_SESSION: 0x020a,
  TARGET_ERROR: 0x0300,
  SERVICE_UNAVAILABLE: 0x0301,
} as const;

/** What task management does. Source: section 11.5.1. */
export const taskFunctions = {
  ABORT_TASK: 1,
  ABORT_TASK_SET: 2,
  CLEAR_ACA: 3,
  CLEAR_TASK_SET: 4,
  LOGICAL_UNIT_RESET: 5,
  TARGET_WARM_RESET: 6,
  TARGET_COLD_RESET: 7,
  TASK_REASSIGN: 8,
} as const;

/** How it ended. Source: section 11.6.1. */
export const taskResponses = {
  COMPLETE: 0,
  NO_TASK: 1,
  NO_LUN: 2,
  NO_REASSIGNMENT: 4,
  NOT_SUPPORTED: 5,
  REJECTED: 255,
} as const;
