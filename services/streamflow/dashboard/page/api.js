// The platform's API: JSON over fetch, with the bearer token of whoever is signed in.

const SECONDS = 15;

/** An answer that is an error, or none at all (status 0). */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.message);
    this.status = status;
    this.details = problem.details ?? [];
    this.correlationId = problem.correlation_id ?? null;
  }
}

export class Api {
  /** `refused` is told of each answer that the token isn't valid (any more). */
  constructor(token, refused) {
    this.token = token;
    this.refused = refused;
  }

  get(path, parameters = {}) {
    const query = new URLSearchParams(parameters).toString();
    return this.#call("GET", query ? `${path}?${query}` : path);
  }

  post(path, body) {
    return this.#call("POST", path, body);
  }

  put(path, body) {
    return this.#call("PUT", path, body);
  }

  delete(path) {
    return this.#call("DELETE", path);
  }

  async #call(method, path, body) {
    const headers = {};
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(SECONDS * 1000),
      });
    } catch {
      throw new ApiError(0, { message: "The platform doesn't answer." });
    }
    if (answer.status === 204) return null;
    const said = await answer.json().catch(() => null);
    if (answer.ok && said !== null) return said;
    // What stands between may answer, too, and not as the platform does.
    const problem = said?.error ?? { message: `The answer was ${answer.status} ${answer.statusText}`.trimEnd() };
    const error = new ApiError(answer.status, problem);
    if (answer.status === 401) this.refused(error);
    throw error;
  }
}
