/** What the pack uses of the page's way to the server, /scripts/api.js. */

export const api: {
  fetchApi(path: string, options?: RequestInit): Promise<Response>;
  apiURL(path: string): string;
  addEventListener(type: string, callback: (event: CustomEvent) => void): void;
};
