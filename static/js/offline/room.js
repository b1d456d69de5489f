// A phone without room.

/**
 * A phone without room can note nothing, but what it holds can still be sent: the server knows each
 * operation by its op_id, so what could not be noted is asked about again later.
 */
export async function unlessFull(work, otherwise) {
  try {
    return await work();
  } catch (error) {
    if (error?.name !== 'QuotaExceededError') throw error;
    return otherwise;
  }
}
