/* tslint:disable */
/* eslint-disable */
export const memory: WebAssembly.Memory;
export const abi_version: () => number;
export const checkpoint: (a: number) => number;
export const delta: () => number;
export const ingest: (a: number) => number;
export const input_reserve: (a: number) => number;
export const merge: (a: number) => number;
export const next_due_ms: () => number;
export const open: (a: number) => number;
export const output_pointer: () => number;
export const report: () => number;
export const restore: (a: number) => number;
export const rows: (a: number) => number;
export const trace: (a: number) => number;
