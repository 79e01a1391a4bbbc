// The parts of the WebAssembly interface that Rivulet uses. TypeScript has them only in the types of a browser.

declare namespace WebAssembly {
  class Module {
    private constructor();
    static imports(module: Module): { module: string; name: string; kind: string }[];
    static exports(module: Module): { name: string; kind: string }[];
  }
  class Instance {
    constructor(module: Module);
    readonly exports: Record<string, unknown>;
  }
  function validate(bytes: Uint8Array): boolean;
  function compile(bytes: Uint8Array): Promise<Module>;
}
