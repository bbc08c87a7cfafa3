//! Nothing but the built programs, real sockets, real databases and other people's tools. One module a subject.
