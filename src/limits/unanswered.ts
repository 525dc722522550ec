// Whoever may know an answer has not given it: there is neither a yes nor a no.

export class Unanswered extends Error {
  constructor() {
    super('one that may know has not answered in time');
    this.name = 'Unanswered';
  }
}
